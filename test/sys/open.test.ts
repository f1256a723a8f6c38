// Opening: flags by their effect (the numbers differ between machines), and what stays beneath.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

test("openAt: flags do what their names say on this machine", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "file"), "content");
  fs.symlinkSync("file", join(path, "link"));
  const open = (name: string, flags: number): number => sys.openAt(fd, b(name), flags, 0o600);
  assert.throws(() => open("file", sys.O_DIRECTORY), { code: "ENOTDIR" });
  assert.throws(() => open("link", sys.O_NOFOLLOW), { code: "ELOOP" });
  assert.throws(() => open("file", sys.O_CREAT | sys.O_EXCL), { code: "EEXIST" });
  assert.throws(() => open("none", sys.O_RDONLY), { code: "ENOENT" });
  const tmp = open(".", sys.O_TMPFILE | sys.O_RDWR);
  assert.equal(sys.statFd(tmp).nlink, 0);
  sys.linkFd(tmp, fd, b("linked"));
  assert.equal(sys.statFd(tmp).nlink, 1);
  sys.close(tmp);
  sys.close(open("file", sys.O_WRONLY | sys.O_TRUNC));
  assert.equal(fs.statSync(join(path, "file")).size, 0);
});

test("openAt: the constants agree with node's where node has them", () => {
  const ours = {
    O_CREAT: sys.O_CREAT,
    O_EXCL: sys.O_EXCL,
    O_NOCTTY: sys.O_NOCTTY,
    O_TRUNC: sys.O_TRUNC,
    O_APPEND: sys.O_APPEND,
    O_NONBLOCK: sys.O_NONBLOCK,
    O_DSYNC: sys.O_DSYNC,
    O_DIRECT: sys.O_DIRECT,
    O_DIRECTORY: sys.O_DIRECTORY,
    O_NOFOLLOW: sys.O_NOFOLLOW,
    O_NOATIME: sys.O_NOATIME,
    O_SYNC: sys.O_SYNC,
  };
  for (const [name, value] of Object.entries(ours)) {
    assert.equal(value, Reflect.get(fs.constants, name), name);
  }
});

test("openAt: programs that are started do not inherit", (t) => {
  const { fd } = scratchDirectory(t);
  using file = new sys.Descriptor(sys.openAt(fd, b("f"), sys.O_RDWR | sys.O_CREAT, 0o600));
  using beneath = new sys.Descriptor(sys.openBeneath(fd, b("f"), sys.O_RDWR));
  using again = new sys.Descriptor(sys.dup(file.fd));
  const inherited = (): boolean[] => {
    const listing = spawnSync("ls", ["/proc/self/fd"], { encoding: "utf8" }).stdout.split("\n");
    return [file, beneath, again].map((one) => listing.includes(String(one.fd)));
  };
  assert.deepEqual(inherited(), [false, false, false]);
  sys.setInheritable(again.fd, true);
  const flags = fs.readFileSync(`/proc/self/fdinfo/${again.fd}`, "utf8");
  assert.doesNotMatch(flags, /^flags:\s+0?2\d{6}$/m);
});

test("tryOpenAt: absence is undefined, everything else an error", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "file"), "");
  assert.equal(sys.tryOpenAt(fd, b("none"), sys.O_RDONLY), undefined);
  assert.equal(sys.tryOpenAt(fd, b("file/x"), sys.O_RDONLY), undefined);
  assert.throws(() => sys.tryOpenAt(fd, b("."), sys.O_WRONLY), { code: "EISDIR" });
});

test("openBeneath: no way leads out, no symlink is met", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.mkdirSync(join(path, "a/b"), { recursive: true });
  fs.writeFileSync(join(path, "a/b/file"), "x");
  fs.symlinkSync("a", join(path, "inside"));
  fs.symlinkSync("/etc", join(path, "outside"));
  fs.symlinkSync("file", join(path, "a/b/last"));
  using root = new sys.Descriptor(sys.openAt(fd, b("a"), sys.O_PATH));
  const beneath = (dir: number, name: string): number =>
    sys.openBeneath(dir, b(name), sys.O_RDONLY);
  sys.close(beneath(fd, "a/b/file"));
  sys.close(beneath(fd, "a/../a/b/file"));
  sys.close(beneath(fd, ""));
  assert.throws(() => beneath(root.fd, "../a/b/file"), { code: "EXDEV" });
  assert.throws(() => beneath(root.fd, "b/../../a"), { code: "EXDEV" });
  assert.throws(() => beneath(fd, "/etc/passwd"), { code: "EXDEV" });
  assert.throws(() => beneath(fd, "inside/b/file"), { code: "ELOOP" });
  assert.throws(() => beneath(fd, "outside/passwd"), { code: "ELOOP" });
  assert.throws(() => beneath(fd, "a/b/last"), { code: "ELOOP" });
  assert.equal(sys.tryOpenBeneath(fd, b("a/none/x"), sys.O_RDONLY), undefined);
  assert.equal(sys.tryOpenBeneath(fd, b("a/b/file/x"), sys.O_RDONLY), undefined);
  const made = sys.openBeneath(fd, b("a/b/new"), sys.O_WRONLY | sys.O_CREAT | sys.O_EXCL, 0o640);
  assert.equal(sys.statFd(made).mode & 0o777, 0o640);
  sys.close(made);
});

test("reopen: an O_PATH descriptor becomes readable", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "file"), "content");
  using bare = new sys.Descriptor(sys.openAt(fd, b("file"), sys.O_PATH));
  assert.throws(() => sys.pread(bare.fd, Buffer.alloc(7), 0, 7, 0), { code: "EBADF" });
  fs.renameSync(join(path, "file"), join(path, "elsewhere"));
  using file = new sys.Descriptor(sys.reopen(bare.fd, sys.O_RDONLY));
  const buffer = Buffer.alloc(7);
  assert.equal(sys.pread(file.fd, buffer, 0, 7, 0), 7);
  assert.equal(buffer.toString(), "content");
});

test("Descriptor: closes once, and its number is dead afterwards", (t) => {
  const { fd } = scratchDirectory(t);
  const descriptor = new sys.Descriptor(sys.dup(fd));
  const number = descriptor.fd;
  descriptor.close();
  descriptor.close();
  assert.throws(() => descriptor.fd, { code: "EBADF" });
  assert.throws(() => sys.close(number), { code: "EBADF" });
});

test("reserveDescriptors: the table has room, and no descriptor stays open", () => {
  const size = (): number =>
    Number(/^FDSize:\s*(\d+)$/m.exec(fs.readFileSync("/proc/self/status", "latin1"))?.[1]);
  const wanted = size() * 2;
  const before = fs.readdirSync("/proc/self/fd").length;
  sys.reserveDescriptors(wanted);
  assert.ok(size() >= wanted, `${size()} of ${wanted}`);
  assert.equal(fs.readdirSync("/proc/self/fd").length, before);
  // More than the process may have: it does without.
  sys.reserveDescriptors(2 ** 31);
  assert.equal(fs.readdirSync("/proc/self/fd").length, before);
});
