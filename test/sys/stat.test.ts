// stat beside node:fs on every file type, and at the edges of its number ranges.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { type ByteString, bytesOf } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

const notRoot = sys.features().mknodDevices ? false : "needs CAP_MKNOD to make device nodes";

/** What node:fs says of a file, in our shape. */
function oracle(path: string): Record<string, unknown> {
  const s = fs.lstatSync(path, { bigint: true });
  const rdev = Number(s.rdev);
  const split = (ns: bigint): [number, number] => {
    const nsec = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
    return [Number((ns - nsec) / 1_000_000_000n), Number(nsec)];
  };
  const [[atimeSec, atimeNsec], [mtimeSec, mtimeNsec]] = [split(s.atimeNs), split(s.mtimeNs)];
  const [[ctimeSec, ctimeNsec], [btimeSec, btimeNsec]] = [split(s.ctimeNs), split(s.birthtimeNs)];
  const dev = Number(s.dev);
  return {
    dev: ((dev >> 8) & 0xfff) * 2 ** 20 + ((dev & 0xff) | ((dev >> 12) & 0xfff00)),
    ino: s.ino,
    nlink: Number(s.nlink),
    mode: Number(s.mode),
    uid: Number(s.uid),
    gid: Number(s.gid),
    rdevMajor: (rdev >> 8) & 0xfff,
    rdevMinor: (rdev & 0xff) | ((rdev >> 12) & 0xfff00),
    sizeBytes: Number(s.size),
    blocks: Number(s.blocks),
    blksize: Number(s.blksize),
    atimeSec,
    atimeNsec,
    mtimeSec,
    mtimeNsec,
    ctimeSec,
    ctimeNsec,
    btimeSec,
    btimeNsec,
    attributes: 0,
  };
}

test("statAt: agrees with lstat on every file type", async (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "file"), "x".repeat(12_345));
  fs.linkSync(join(path, "file"), join(path, "hard"));
  fs.mkdirSync(join(path, "dir"));
  fs.symlinkSync("nowhere", join(path, "link"));
  fs.truncateSync(join(path, "file"), 2 ** 40 + 5);
  sys.mknodAt(fd, b("fifo"), sys.S_IFIFO | 0o600, 0, 0);
  const server = createServer().listen(join(path, "socket")).unref();
  await new Promise((resolve) => server.once("listening", resolve));
  for (const name of ["file", "hard", "dir", "link", "fifo", "socket"]) {
    const stat = sys.statAt(fd, b(name));
    assert.deepEqual({ ...stat }, oracle(join(path, name)), name);
    assert.deepEqual(sys.tryStatAt(fd, b(name)), stat);
    using open = new sys.Descriptor(sys.openAt(fd, b(name), sys.O_PATH | sys.O_NOFOLLOW));
    assert.deepEqual(sys.statFd(open.fd), stat);
    assert.deepEqual(sys.statAt(open.fd, b("")), stat);
  }
  await new Promise((resolve) => server.close(resolve));
});

test("statAt: device numbers keep all their bits", { skip: notRoot }, (t) => {
  const { path, fd } = scratchDirectory(t);
  for (const [major, minor] of [
    [0, 0],
    [1, 3],
    [259, 7],
    [4095, 0xfffff],
    [8, 256],
  ] as const) {
    sys.mknodAt(fd, b("dev"), sys.S_IFBLK | 0o600, major, minor);
    const stat = sys.statAt(fd, b("dev"));
    assert.deepEqual([stat.rdevMajor, stat.rdevMinor], [major, minor]);
    assert.deepEqual({ ...stat }, oracle(join(path, "dev")));
    sys.unlinkAt(fd, b("dev"));
  }
});

test("statAt: ids up to 2^32-2", { skip: notRoot }, (t) => {
  const { fd } = scratchDirectory(t);
  sys.symlinkAt(b("x"), fd, b("l"));
  sys.chownAt(fd, b("l"), 4_294_967_294, 3_000_000_000);
  const { uid, gid } = sys.statAt(fd, b("l"));
  assert.deepEqual([uid, gid], [4_294_967_294, 3_000_000_000]);
});

test("tryStatAt: absence is undefined, everything else an error", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "file"), "");
  fs.symlinkSync("loop", join(path, "loop"));
  assert.equal(sys.tryStatAt(fd, b("none")), undefined);
  assert.equal(sys.tryStatAt(fd, b("file/below")), undefined);
  assert.throws(() => sys.tryStatAt(fd, b("loop/x")), { code: "ELOOP" });
  assert.throws(() => sys.statAt(fd, b("none")), {
    name: "FsError",
    code: "ENOENT",
    message: 'Cannot statx "none": ENOENT',
  });
  assert.throws(() => sys.statFd(999_999), { code: "EBADF" });
});

test("paths: names keep every byte but NUL and slash", (t) => {
  const { fd } = scratchDirectory(t);
  const bytes = Array.from({ length: 255 }, (_, i) => i + 1).filter((one) => one !== 0x2f);
  for (const name of [bytes.slice(0, 40), bytes.slice(100, 140), bytes]) {
    const path = String.fromCharCode(...name) as ByteString;
    sys.mkdirAt(fd, path, 0o700);
    assert.ok(sys.isDirectory(sys.statAt(fd, path).mode));
    using directory = new sys.Descriptor(sys.openAt(fd, b("."), sys.O_RDONLY));
    assert.deepEqual(
      sys.readDirents(directory.fd).map((one) => one.name),
      [path],
    );
    sys.rmdirAt(fd, path);
  }
});

test("paths: what the kernel would read otherwise is refused", (t) => {
  const { fd } = scratchDirectory(t);
  assert.throws(() => sys.tryStatAt(fd, "a\0b" as ByteString), { code: "EINVAL" });
  assert.throws(() => sys.tryStatAt(fd, `a\0${"b".repeat(200)}` as ByteString), { code: "EINVAL" });
  assert.throws(() => sys.tryStatAt(fd, bytesOf("x".repeat(256))), { code: "ENAMETOOLONG" });
  assert.throws(() => sys.tryStatAt(fd, bytesOf("./".repeat(2048))), { code: "ENAMETOOLONG" });
  assert.ok(sys.statAt(fd, bytesOf(`${"./".repeat(2047)}.`)));
});
