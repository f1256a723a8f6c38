// Inode flags by name: the same as by descriptor, of those that mean the same on every file system.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { errno, isFsError } from "../../src/errors.js";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

const TOLD = sys.FS_SYNC_FL | sys.FS_NODUMP_FL | sys.FS_NOATIME_FL;

test("fileFlagsAt: as by descriptor, where the kernel and the file system tell", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "f"), "");
  const file = fs.openSync(join(path, "f"), "r");
  t.after(() => fs.closeSync(file));
  if (sys.fileFlagsAt(fd, b("f")) === undefined) {
    t.skip("before Linux 6.17");
    return;
  }
  const wordOf = (): number => sys.getInodeFlags(file, "flags").readUInt32LE(0);
  for (const flags of [0, sys.FS_SYNC_FL, sys.FS_NODUMP_FL, sys.FS_NOATIME_FL, TOLD]) {
    const wanted = sys.getInodeFlags(file, "flags");
    wanted.writeUInt32LE(((wordOf() & ~TOLD) | flags) >>> 0, 0);
    try {
      sys.setInodeFlags(file, "flags", wanted);
    } catch (error) {
      // Some file systems keep some of them only.
      if (!isFsError(error, errno.EOPNOTSUPP, errno.ENOTTY)) throw error;
      continue;
    }
    assert.equal(sys.fileFlagsAt(fd, b("f")), wordOf() & TOLD);
  }
  assert.equal(sys.fileFlagsAt(fd, b("missing")), undefined);
  // That one failed says nothing about others.
  assert.equal(sys.fileFlagsAt(fd, b("f")), wordOf() & TOLD);
});
