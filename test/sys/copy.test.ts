// Copies compared with their source: content by node:fs, holes by SEEK_DATA, between file systems
// that can share blocks or not.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bytesOf } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

const MIB = 1 << 20;
const canWriteShm = fs.existsSync("/dev/shm") ? false : "needs a tmpfs at /dev/shm";

function file(t: TestContext, dirFd: number, name: string): number {
  const fd = sys.openAt(dirFd, b(name), sys.O_RDWR | sys.O_CREAT, 0o600);
  t.after(() => sys.close(fd));
  return fd;
}

/** Start and end of each extent of data. */
function extents(fd: number): [number, number][] {
  const found: [number, number][] = [];
  let start = sys.tryLseek(fd, 0, sys.SEEK_DATA);
  while (start >= 0) {
    const end = sys.lseek(fd, start, sys.SEEK_HOLE);
    found.push([start, end]);
    start = sys.tryLseek(fd, end, sys.SEEK_DATA);
  }
  return found;
}

/** Data at 1 MiB and 5 MiB of an 8 MiB file, holes elsewhere. */
function sparse(fd: number): void {
  sys.ftruncate(fd, 8 * MIB);
  sys.pwriteFull(fd, Buffer.alloc(MIB, 1), 0, MIB, MIB);
  sys.pwriteFull(fd, Buffer.alloc(MIB, 2), 0, MIB, 5 * MIB);
}

test("copyData: content and holes, whole files and parts", (t) => {
  const { path, fd } = scratchDirectory(t);
  const source = file(t, fd, "source");
  sparse(source);
  const whole = file(t, fd, "whole");
  sys.copyData(source, whole, 8 * MIB);
  assert.deepEqual(fs.readFileSync(join(path, "whole")), fs.readFileSync(join(path, "source")));
  assert.deepEqual(extents(whole), extents(source));
  assert.deepEqual(extents(whole), [
    [MIB, 2 * MIB],
    [5 * MIB, 6 * MIB],
  ]);
  const size = 5 * MIB + 4097;
  const part = file(t, fd, "part");
  sys.copyData(source, part, size);
  assert.deepEqual(
    fs.readFileSync(join(path, "part")),
    fs.readFileSync(join(path, "source")).subarray(0, size),
  );
  const longer = file(t, fd, "longer");
  sys.copyData(source, longer, 10 * MIB);
  assert.equal(sys.statFd(longer).sizeBytes, 10 * MIB);
  assert.deepEqual(extents(longer), extents(source));
});

test("copyData: empty files, and files that are all hole", (t) => {
  const { fd } = scratchDirectory(t);
  const source = file(t, fd, "source");
  const copy = file(t, fd, "copy");
  sys.copyData(source, copy, 0);
  assert.equal(sys.statFd(copy).sizeBytes, 0);
  sys.ftruncate(source, 2 ** 40);
  sys.copyData(source, copy, 2 ** 40);
  assert.equal(sys.statFd(copy).sizeBytes, 2 ** 40);
  assert.deepEqual(extents(copy), []);
});

test("copyData: between file systems, holes kept", { skip: canWriteShm }, (t) => {
  const { path, fd } = scratchDirectory(t);
  const elsewhere = fs.mkdtempSync("/dev/shm/strata-sys-");
  t.after(() => fs.rmSync(elsewhere, { recursive: true }));
  using shm = new sys.Descriptor(sys.openAt(sys.AT_FDCWD, bytesOf(elsewhere), sys.O_PATH));
  const source = file(t, fd, "source");
  sparse(source);
  const copy = file(t, shm.fd, "copy");
  assert.equal(sys.ficlone(copy, source), false);
  sys.copyData(source, copy, 8 * MIB);
  assert.deepEqual(fs.readFileSync(join(elsewhere, "copy")), fs.readFileSync(join(path, "source")));
  assert.deepEqual(extents(copy), extents(source));
});

test("copyFileRange: offsets of both files, short at the end", (t) => {
  const { path, fd } = scratchDirectory(t);
  const source = file(t, fd, "source");
  const target = file(t, fd, "target");
  sys.pwriteFull(source, Buffer.from("0123456789"), 0, 10, 0);
  sys.pwriteFull(target, Buffer.from("abcdefghij"), 0, 10, 0);
  assert.equal(sys.copyFileRange(source, 6, target, 2, 100), 4);
  assert.equal(sys.copyFileRange(source, 10, target, 0, 100), 0);
  assert.equal(fs.readFileSync(join(path, "target"), "utf8"), "ab6789ghij");
  using bare = new sys.Descriptor(sys.openAt(fd, b("target"), sys.O_RDONLY));
  assert.throws(() => sys.copyFileRange(source, 0, bare.fd, 0, 1), { code: "EBADF" });
});
