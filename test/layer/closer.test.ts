// Removed files are closed by threads of the kernel, and every one of them is.

import { ok, strictEqual } from "node:assert/strict";
import { openSync, rmdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isFsError } from "../../src/errors.js";
import { Closer } from "../../src/layer/closer.js";
import { openDirectoryUpper } from "../../src/layer/index.js";
import type { Name } from "../../src/path.js";
import { AsyncRing, features } from "../../src/sys/index.js";
import { Scratch } from "./host-tree.js";
import { heldBelow, removedFile } from "./removed-files.js";

const LIMIT = { timeout: 60_000 };
const FILES = 500;

/** Without them each file is closed at once. */
const hasThreads = (() => {
  if (availableParallelism() < 2) return false;
  try {
    new AsyncRing().close();
    return true;
  } catch (error) {
    if (isFsError(error)) return false;
    throw error;
  }
})();

test("Closer: small files and large ones are closed, in threads or not", LIMIT, () => {
  using scratch = new Scratch();
  const path = scratch.directory("files");
  const closer = new Closer();
  for (let file = 0; file < FILES; file++) {
    closer.close(removedFile(join(path, `f${file}`), file % 50 === 0 ? 300_000 : 2000));
    ok(heldBelow(path) < 200, "not many wait");
  }
  ok(!closer.isWaiting, "so many files and no directory among them: none is about to go");
  const directory = scratch.directory("directory");
  const fd = openSync(directory, "r");
  rmdirSync(directory);
  closer.close(fd);
  closer.close(removedFile(join(path, "after"), 1));
  strictEqual(closer.isWaiting, hasThreads, "another one may be");
  closer.catchUp();
  ok(!closer.isWaiting);
  closer.finish();
  strictEqual(heldBelow(path), 0);
  // Afterwards each is closed at once.
  closer.close(removedFile(join(path, "last"), 1));
  strictEqual(heldBelow(path), 0);
  closer.finish();
});

test("an upper whose files were removed and forgotten holds none of them", {
  ...LIMIT,
  skip: features().trustedXattr ? false : "needs root: trusted.* marks",
}, () => {
  using scratch = new Scratch();
  const path = scratch.directory("upper");
  const upper = openDirectoryUpper(path, scratch.directory("work"), { closer: new Closer() });
  const inode = { type: "file", mode: 0o644, umask: 0, uid: 0, gid: 0 } as const;
  try {
    for (let file = 0; file < FILES; file++) {
      const name = `f${file}` as Name;
      const node = upper.create(upper.root, name, inode, "absent");
      upper.remove(upper.root, name, "file", false);
      strictEqual(upper.stat(node).nlink, 0, "it is there until it is forgotten");
      upper.forget(node);
    }
  } finally {
    upper.close();
  }
  strictEqual(heldBelow(path), 0);
});
