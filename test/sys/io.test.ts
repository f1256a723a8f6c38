// Bytes in and out, beside node:fs reading the same files.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AssertionError } from "../../src/assert.js";
import { errno } from "../../src/errors.js";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

function openFile(t: TestContext): { path: string; fd: number } {
  const directory = scratchDirectory(t);
  const fd = sys.openAt(directory.fd, b("f"), sys.O_RDWR | sys.O_CREAT, 0o600);
  t.after(() => sys.close(fd));
  return { path: join(directory.path, "f"), fd };
}

test("pread, pwrite: only the named range of the buffer and of the file", (t) => {
  const { path, fd } = openFile(t);
  assert.equal(sys.pwrite(fd, Buffer.from("0123456789"), 2, 5, 3), 5);
  assert.equal(fs.readFileSync(path, "latin1"), "\0\0\x0023456");
  const buffer = Buffer.from("----------");
  assert.equal(sys.pread(fd, buffer, 4, 3, 5), 3);
  assert.equal(buffer.toString("latin1"), "----456---");
  assert.equal(sys.pread(fd, buffer, 0, 10, 100), 0);
  assert.equal(sys.preadFull(fd, buffer, 1, 9, 3), 5);
  assert.equal(buffer.toString("latin1"), "-234566---");
});

test("pread, pwrite: positions above 2^32", (t) => {
  const { fd } = openFile(t);
  const far = 2 ** 41 + 17;
  sys.pwriteFull(fd, Buffer.from("far"), 0, 3, far);
  const buffer = Buffer.alloc(3);
  assert.equal(sys.preadFull(fd, buffer, 0, 3, far), 3);
  assert.equal(buffer.toString(), "far");
  assert.equal(sys.statFd(fd).sizeBytes, far + 3);
  assert.equal(sys.lseek(fd, 0, sys.SEEK_END), far + 3);
});

test("every transfer: a range outside of the buffer never reaches the kernel", (t) => {
  const { fd } = openFile(t);
  const buffer = Buffer.alloc(8);
  for (const [start, length] of [
    [0, 9],
    [8, 1],
    [-1, 2],
    [4, 5],
    [2, -1],
  ] as const) {
    assert.throws(() => sys.pread(fd, buffer, start, length, 0), AssertionError);
    assert.throws(() => sys.pwrite(fd, buffer, start, length, 0), AssertionError);
    assert.throws(() => sys.read(fd, buffer, start, length), AssertionError);
    assert.throws(() => sys.write(fd, buffer, start, length), AssertionError);
  }
  assert.throws(() => sys.tryWrite(fd, buffer, 9), AssertionError);
  assert.throws(() => sys.tryWritev(fd, buffer, 1, buffer, 9), AssertionError);
  assert.equal(sys.statFd(fd).sizeBytes, 0);
});

test("every transfer: slices of a larger buffer are read and written in place", (t) => {
  const { path, fd } = openFile(t);
  const whole = Buffer.from("abcdefghij");
  const slice = whole.subarray(3, 7);
  assert.equal(sys.write(fd, slice, 0, 4), 4);
  assert.equal(sys.tryWrite(fd, slice, 2), 2);
  assert.equal(sys.tryWritev(fd, slice, 1, whole, 3), 4);
  assert.equal(sys.tryWritev(fd, new Uint8Array([33]), 1, new Uint8Array([63, 64]), 0), 1);
  assert.equal(fs.readFileSync(path, "latin1"), "defgdedabc!");
  sys.lseek(fd, 1, sys.SEEK_SET);
  assert.equal(sys.read(fd, slice, 1, 2), 2);
  assert.equal(whole.toString(), "abcdefghij");
  assert.equal(sys.tryRead(fd, slice), 4);
  assert.equal(whole.toString(), "abcgdedhij");
});

test("tryRead, tryWrite: failures are negative errnos", (t) => {
  const { fd } = scratchDirectory(t);
  const buffer = Buffer.alloc(8);
  assert.equal(sys.tryRead(fd, buffer), -errno.EBADF);
  assert.equal(sys.tryWrite(fd, buffer, 8), -errno.EBADF);
  assert.equal(sys.tryWritev(999_999, buffer, 8, buffer, 1), -errno.EBADF);
  using directory = new sys.Descriptor(sys.openAt(fd, b("."), sys.O_RDONLY));
  assert.equal(sys.tryRead(directory.fd, buffer), -errno.EISDIR);
  assert.throws(() => sys.read(directory.fd, buffer, 0, 8), { code: "EISDIR" });
});

test("lseek, fallocate: holes are found where they were left and punched", (t) => {
  const { fd } = openFile(t);
  const MIB = 1 << 20;
  sys.ftruncate(fd, 4 * MIB);
  assert.throws(() => sys.lseek(fd, 0, sys.SEEK_DATA), { code: "ENXIO" });
  assert.equal(sys.tryLseek(fd, 0, sys.SEEK_DATA), -errno.ENXIO);
  sys.pwriteFull(fd, Buffer.alloc(2 * MIB, 1), 0, 2 * MIB, MIB);
  assert.equal(sys.lseek(fd, 0, sys.SEEK_DATA), MIB);
  assert.equal(sys.lseek(fd, MIB, sys.SEEK_HOLE), 3 * MIB);
  sys.fallocate(fd, sys.FALLOC_FL_PUNCH_HOLE | sys.FALLOC_FL_KEEP_SIZE, MIB, MIB);
  assert.equal(sys.lseek(fd, 0, sys.SEEK_DATA), 2 * MIB);
  sys.fallocate(fd, 0, 4 * MIB, MIB);
  assert.equal(sys.statFd(fd).sizeBytes, 5 * MIB);
  sys.fallocate(fd, sys.FALLOC_FL_KEEP_SIZE, 5 * MIB, MIB);
  assert.equal(sys.statFd(fd).sizeBytes, 5 * MIB);
  assert.throws(() => sys.fallocate(fd, 0, -1, 5), { code: "EINVAL" });
});

test("writeOut: nothing of the file is in memory only", async (t) => {
  const { path, fd } = openFile(t);
  sys.pwriteFull(fd, Buffer.alloc(1 << 20, 1), 0, 1 << 20, 0);
  await sys.writeOut(fd);
  // filefrag says "delalloc" of what has no place on the disk yet; where it can't tell, nothing.
  const { stdout } = spawnSync("filefrag", ["-v", path], { encoding: "utf8" });
  assert.doesNotMatch(stdout ?? "", /delalloc/);
});

test("writeOut: a descriptor that can't be written out is left alone", async () => {
  await sys.writeOut(999_999);
});

test("fsync, fdatasync, syncfs: accept files and directories", (t) => {
  const { fd } = scratchDirectory(t);
  using directory = new sys.Descriptor(sys.openAt(fd, b("."), sys.O_RDONLY));
  sys.fsync(directory.fd);
  sys.fdatasync(directory.fd);
  assert.throws(() => sys.fsync(fd), { code: "EBADF" });
  assert.throws(() => sys.syncfs(999_999), { code: "EBADF" });
});

test("poll: says which end is ready, and waits no longer than told", () => {
  const [one, other] = sys.socketpair();
  const wanted = [
    { fd: one, events: sys.POLLIN },
    { fd: other, events: sys.POLLIN | sys.POLLOUT },
  ];
  assert.deepEqual(sys.poll([{ fd: one, events: sys.POLLIN }], 10), [0]);
  assert.deepEqual(sys.poll(wanted, 1000), [0, sys.POLLOUT]);
  sys.write(other, Buffer.from("x"), 0, 1);
  assert.deepEqual(sys.poll(wanted, 1000), [sys.POLLIN, sys.POLLOUT]);
  sys.close(other);
  assert.deepEqual(sys.poll([{ fd: one, events: 0 }], 1000), [sys.POLLHUP]);
  sys.close(one);
  assert.deepEqual(sys.poll([{ fd: one, events: 0 }], 1000), [sys.POLLNVAL]);
});
