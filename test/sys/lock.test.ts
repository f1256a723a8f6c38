// Locks between open files of one process, and flock(1) as a second opinion.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

function twoOpens(t: TestContext): { path: string; one: number; other: number } {
  const { path, fd } = scratchDirectory(t);
  const one = sys.openAt(fd, b("f"), sys.O_RDWR | sys.O_CREAT, 0o600);
  const other = sys.openAt(fd, b("f"), sys.O_RDWR);
  t.after(() => {
    sys.close(one);
    sys.close(other);
  });
  return { path: join(path, "f"), one, other };
}

const TRY = { wait: false };

test("flock: exclusive shuts everybody out, shared only writers", (t) => {
  const { path, one, other } = twoOpens(t);
  const foreign = (kind: string): number | null =>
    spawnSync("flock", ["-n", kind, path, "true"]).status;
  assert.ok(sys.flock(one, "exclusive", { wait: true }));
  assert.ok(!sys.flock(other, "shared", TRY));
  assert.equal(foreign("-s"), 1);
  assert.ok(sys.flock(one, "shared", TRY));
  assert.ok(sys.flock(other, "shared", TRY));
  assert.equal(foreign("-s"), 0);
  assert.equal(foreign("-x"), 1);
  assert.ok(sys.flock(one, "unlock", TRY));
  assert.ok(sys.flock(other, "unlock", TRY));
  assert.equal(foreign("-x"), 0);
});

test("flock: a descriptor that is not open is EBADF", () => {
  assert.throws(() => sys.flock(999_999, "shared", TRY), { code: "EBADF" });
});

test("lockRange: ranges that do not overlap do not block", (t) => {
  const { one, other } = twoOpens(t);
  const far = 2 ** 40;
  assert.ok(sys.lockRange(one, "exclusive", { start: 10, length: 10 }, TRY));
  assert.ok(sys.lockRange(other, "exclusive", { start: 20, length: 0 }, { wait: true }));
  assert.ok(!sys.lockRange(other, "shared", { start: 19, length: 1 }, TRY));
  assert.ok(!sys.lockRange(one, "shared", { start: far, length: 1 }, TRY));
  assert.deepEqual(sys.conflictingLock(other, "shared", { start: 0, length: 0 }), {
    kind: "exclusive",
    start: 10,
    length: 10,
    pid: -1,
  });
  assert.ok(sys.lockRange(one, "unlock", { start: 0, length: 0 }, TRY));
  assert.equal(sys.conflictingLock(other, "shared", { start: 0, length: 20 }), undefined);
});
