// Directory listings beside node:fs, small and larger than one buffer.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ByteString } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

function list(fd: number): sys.Dirent[] {
  using directory = new sys.Descriptor(sys.openAt(fd, b("."), sys.O_RDONLY | sys.O_DIRECTORY));
  return sys.readDirents(directory.fd);
}

test("readDirents: names, inode numbers and types of every kind", (t) => {
  const { path, fd } = scratchDirectory(t);
  assert.deepEqual(list(fd), []);
  fs.writeFileSync(join(path, "file"), "");
  fs.mkdirSync(join(path, "..dir"));
  fs.symlinkSync("x", join(path, ".l"));
  sys.mknodAt(fd, b("..."), sys.S_IFIFO | 0o600, 0, 0);
  sys.mknodAt(fd, b("socket"), sys.S_IFSOCK | 0o600, 0, 0);
  const found = list(fd);
  assert.deepEqual(
    found.map((one) => one.name).sort(),
    [".l", "...", "..dir", "file", "socket"].sort(),
  );
  for (const { name, ino, type } of found) {
    const stat = sys.statAt(fd, name);
    assert.equal(ino, stat.ino);
    assert.equal(type, sys.direntType(stat.mode));
  }
});

test("readDirents: names of every length, and of bytes that are no UTF-8", (t) => {
  const { fd } = scratchDirectory(t);
  const names = Array.from({ length: 255 }, (_, i) => "\xe9".repeat(i + 1));
  for (const name of names) sys.mknodAt(fd, name as ByteString, sys.S_IFREG | 0o600, 0, 0);
  assert.deepEqual(
    list(fd)
      .map((one) => one.name)
      .sort(),
    names,
  );
});

test("readDirents: a directory larger than the buffer", (t) => {
  const { path, fd } = scratchDirectory(t);
  for (let i = 0; i < 3000; i++) fs.writeFileSync(join(path, `${i}-`.padEnd(120, "x")), "");
  assert.deepEqual(
    list(fd)
      .map((one) => one.name)
      .sort(),
    fs.readdirSync(path).sort(),
  );
});

test("readDirents: what is no open directory is refused", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "file"), "");
  using file = new sys.Descriptor(sys.openAt(fd, b("file"), sys.O_RDONLY));
  assert.throws(() => sys.readDirents(file.fd), { code: "ENOTDIR" });
  assert.throws(() => sys.readDirents(fd), { code: "EBADF" });
});
