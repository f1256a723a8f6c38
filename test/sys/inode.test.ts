// Making, naming and changing inodes, with node:fs and coreutils looking on.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ByteString } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

const notRoot = sys.features().mknodDevices ? false : "needs CAP_MKNOD and CAP_CHOWN";
const stat = (format: string, path: string): string =>
  execFileSync("stat", ["-c", format, path], { encoding: "utf8" }).trim();

test("mkdirAt, mknodAt: modes less the umask; a taken name is EEXIST", (t) => {
  const { path, fd } = scratchDirectory(t);
  const before = sys.umask(0o027);
  try {
    sys.mkdirAt(fd, b("d"), 0o1777);
    sys.mknodAt(fd, b("f"), sys.S_IFREG | 0o666, 0, 0);
    sys.mknodAt(fd, b("s"), sys.S_IFSOCK | 0o666, 0, 0);
  } finally {
    assert.equal(sys.umask(before), 0o027);
  }
  assert.equal(stat("%A", join(path, "d")), "drwxr-x--T");
  assert.equal(stat("%A", join(path, "f")), "-rw-r-----");
  assert.equal(stat("%F", join(path, "s")), "socket");
  assert.throws(() => sys.mkdirAt(fd, b("f"), 0o700), { code: "EEXIST" });
  assert.throws(() => sys.mknodAt(fd, b("d"), sys.S_IFIFO, 0, 0), { code: "EEXIST" });
});

test("mknodAt: device numbers as mknod(1) makes them", { skip: notRoot }, (t) => {
  const { path, fd } = scratchDirectory(t);
  for (const [major, minor] of [
    [0, 0],
    [5, 300],
    [4095, 0xfffff],
  ] as const) {
    sys.mknodAt(fd, b("ours"), sys.S_IFCHR | 0o600, major, minor);
    execFileSync("mknod", [join(path, "theirs"), "c", String(major), String(minor)]);
    assert.equal(stat("%t:%T", join(path, "ours")), stat("%t:%T", join(path, "theirs")));
    sys.unlinkAt(fd, b("ours"));
    sys.unlinkAt(fd, b("theirs"));
  }
});

test("symlinkAt, readlinkAt: targets of any bytes, up to 4,095", (t) => {
  const { path, fd } = scratchDirectory(t);
  const odd = "/\xff\xfe/\u0001\x80" as ByteString;
  sys.symlinkAt(odd, fd, b("odd"));
  assert.equal(fs.readlinkSync(join(path, "odd"), "latin1"), odd);
  assert.equal(sys.readlinkAt(fd, b("odd")), odd);
  using link = new sys.Descriptor(sys.openAt(fd, b("odd"), sys.O_PATH | sys.O_NOFOLLOW));
  assert.equal(sys.readlinkAt(link.fd, b("")), odd);
  const long = b(`${"a/".repeat(2047)}b`);
  sys.symlinkAt(long, fd, b("long"));
  assert.equal(sys.readlinkAt(fd, b("long")), long);
  assert.throws(() => sys.symlinkAt(b("x".repeat(4096)), fd, b("l")), { code: "ENAMETOOLONG" });
  assert.throws(() => sys.readlinkAt(fd, b(".")), { code: "EINVAL" });
});

test("linkAt, linkFd: another name of the same inode, a symlink's own", (t) => {
  const { fd } = scratchDirectory(t);
  sys.symlinkAt(b("nowhere"), fd, b("l"));
  sys.mkdirAt(fd, b("d"), 0o700);
  using d = new sys.Descriptor(sys.openAt(fd, b("d"), sys.O_PATH));
  sys.linkAt(fd, b("l"), d.fd, b("again"));
  assert.equal(sys.statAt(fd, b("d/again")).ino, sys.statAt(fd, b("l")).ino);
  using bare = new sys.Descriptor(sys.openAt(fd, b("l"), sys.O_PATH | sys.O_NOFOLLOW));
  sys.linkFd(bare.fd, d.fd, b("third"));
  assert.equal(sys.statFd(bare.fd).nlink, 3);
  assert.throws(() => sys.linkFd(bare.fd, d.fd, b("third")), { code: "EEXIST" });
  assert.throws(() => sys.linkAt(fd, b("d"), fd, b("e")), { code: "EPERM" });
});

test("unlinkAt, rmdirAt: each removes its own kind only", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.mkdirSync(join(path, "d/e"), { recursive: true });
  fs.writeFileSync(join(path, "f"), "");
  fs.symlinkSync("d", join(path, "l"));
  assert.throws(() => sys.unlinkAt(fd, b("d")), { code: "EISDIR" });
  assert.throws(() => sys.rmdirAt(fd, b("f")), { code: "ENOTDIR" });
  assert.throws(() => sys.rmdirAt(fd, b("l")), { code: "ENOTDIR" });
  assert.throws(() => sys.rmdirAt(fd, b("d")), { code: "ENOTEMPTY" });
  sys.rmdirAt(fd, b("d/e"));
  sys.rmdirAt(fd, b("d"));
  sys.unlinkAt(fd, b("l"));
  sys.unlinkAt(fd, b("f"));
  assert.deepEqual(fs.readdirSync(path), []);
});

test("chmodAt: every permission bit, never through a symlink", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "f"), "");
  fs.symlinkSync("f", join(path, "l"));
  fs.chmodSync(join(path, "f"), 0o600);
  assert.throws(() => sys.chmodAt(fd, b("l"), 0o777), { code: "EOPNOTSUPP" });
  assert.equal(stat("%a", join(path, "f")), "600");
  for (const mode of [0o7777, 0o4755, 0o2750, 0o1000, 0, 0o644]) {
    sys.chmodAt(fd, b("f"), mode);
    assert.equal(stat("%a", join(path, "f")), mode.toString(8));
  }
  using bare = new sys.Descriptor(sys.openAt(fd, b("f"), sys.O_PATH));
  sys.chmodAt(bare.fd, b(""), 0o4711);
  assert.equal(stat("%a", join(path, "f")), "4711");
  using file = new sys.Descriptor(sys.openAt(fd, b("f"), sys.O_RDONLY));
  sys.fchmod(file.fd, 0o640);
  assert.equal(stat("%a", join(path, "f")), "640");
});

test("chownAt: a symlink's own ids, -1 keeps one", { skip: notRoot }, (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "f"), "");
  fs.symlinkSync("f", join(path, "l"));
  sys.chownAt(fd, b("l"), 4_000_000_000, 5);
  assert.equal(stat("%u:%g", join(path, "l")), "4000000000:5");
  assert.equal(stat("%u:%g", join(path, "f")), "0:0");
  sys.chownAt(fd, b("l"), -1, 6);
  sys.chownAt(fd, b("l"), 7, -1);
  assert.equal(stat("%u:%g", join(path, "l")), "7:6");
  using bare = new sys.Descriptor(sys.openAt(fd, b("l"), sys.O_PATH | sys.O_NOFOLLOW));
  sys.chownAt(bare.fd, b(""), 8, 9);
  assert.equal(stat("%u:%g", join(path, "l")), "8:9");
  using file = new sys.Descriptor(sys.openAt(fd, b("f"), sys.O_RDONLY));
  sys.fchown(file.fd, -1, 10);
  assert.equal(stat("%u:%g", join(path, "f")), "0:10");
});

test("utimensAt: nanoseconds before 1970 and after 2038; NOW and OMIT", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "f"), "");
  fs.symlinkSync("f", join(path, "l"));
  const untouched = stat("%.9X %.9Y", join(path, "f"));
  const times = { atimeSec: -2, atimeNsec: 999_999_999, mtimeSec: 9_876_543_210, mtimeNsec: 1 };
  sys.utimensAt(fd, b("l"), times);
  // stat(1) prints the value; we hold its floor and the rest: -2 s + 999,999,999 ns.
  assert.equal(stat("%.9X %.9Y", join(path, "l")), "-1.000000001 9876543210.000000001");
  assert.equal(stat("%.9X %.9Y", join(path, "f")), untouched);
  using bare = new sys.Descriptor(sys.openAt(fd, b("l"), sys.O_PATH | sys.O_NOFOLLOW));
  const omit = { atimeSec: 0, atimeNsec: sys.UTIME_OMIT, mtimeSec: 5, mtimeNsec: 6 };
  sys.utimensAt(bare.fd, b(""), omit);
  assert.equal(stat("%.9X %.9Y", join(path, "l")), "-1.000000001 5.000000006");
  using file = new sys.Descriptor(sys.openAt(fd, b("f"), sys.O_RDONLY));
  sys.futimens(file.fd, times);
  sys.futimens(file.fd, { ...omit, mtimeNsec: sys.UTIME_NOW });
  const { atimeSec, mtimeSec } = sys.statFd(file.fd);
  assert.equal(atimeSec, -2);
  assert.ok(Math.abs(mtimeSec - Date.now() / 1000) < 60);
});
