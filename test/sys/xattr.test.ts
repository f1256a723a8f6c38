// Extended attributes beside getfattr and setfattr.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ByteString } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

const noTools = fs.existsSync("/usr/bin/getfattr") ? false : "needs getfattr and setfattr (attr)";
const noTrusted = sys.features().trustedXattr ? false : "needs CAP_SYS_ADMIN for trusted.*";

test("xattr: values are bytes, as getfattr and setfattr see them", { skip: noTools }, (t) => {
  const { path, fd } = scratchDirectory(t);
  const file = join(path, "f");
  fs.writeFileSync(file, "");
  const value = Buffer.from([0, 1, 0x80, 0xff, 0]);
  sys.setxattrAt(fd, b("f"), b("user.ours"), value);
  const shown = execFileSync("getfattr", [
    "--absolute-names",
    "-n",
    "user.ours",
    "-e",
    "hex",
    file,
  ]);
  assert.match(shown.toString(), /^user\.ours=0x000180ff00$/m);
  execFileSync("setfattr", ["-n", "user.theirs", "-v", "0xff00fe", file]);
  assert.deepEqual(sys.getxattrAt(fd, b("f"), b("user.theirs")), Buffer.from([0xff, 0, 0xfe]));
  assert.deepEqual(sys.listxattrAt(fd, b("f")).sort(), ["user.ours", "user.theirs"]);
  sys.removexattrAt(fd, b("f"), b("user.ours"));
  assert.deepEqual(sys.listxattrAt(fd, b("f")), ["user.theirs"]);
});

test("xattr: absence is undefined or empty, other failures are errors", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "f"), "");
  assert.equal(sys.getxattrAt(fd, b("f"), b("user.none")), undefined);
  assert.equal(sys.getxattrAt(fd, b("f"), b("nonsense.none")), undefined);
  assert.deepEqual(sys.listxattrAt(fd, b("f")), []);
  assert.throws(() => sys.getxattrAt(fd, b("none"), b("user.x")), { code: "ENOENT" });
  assert.throws(() => sys.listxattrAt(fd, b("none")), { code: "ENOENT" });
  assert.throws(() => sys.removexattrAt(fd, b("f"), b("user.x")), { code: "ENODATA" });
  assert.throws(() => sys.setxattrAt(fd, b("f"), b("nonsense.x"), Buffer.alloc(1)), {
    code: "EOPNOTSUPP",
  });
});

test("setxattrAt: empty values, CREATE and REPLACE", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "f"), "");
  const set = (flags: number, value = ""): void => {
    sys.setxattrAt(fd, b("f"), b("user.x"), Buffer.from(value), flags);
  };
  assert.throws(() => set(sys.XATTR_REPLACE), { code: "ENODATA" });
  set(sys.XATTR_CREATE);
  assert.deepEqual(sys.getxattrAt(fd, b("f"), b("user.x")), Buffer.alloc(0));
  assert.throws(() => set(sys.XATTR_CREATE), { code: "EEXIST" });
  set(sys.XATTR_REPLACE, "new");
  assert.deepEqual(sys.getxattrAt(fd, b("f"), b("user.x")), Buffer.from("new"));
});

test("setxattrAt: what is longer than any attribute is E2BIG", (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "f"), "");
  const value = Buffer.alloc(65_537);
  assert.throws(() => sys.setxattrAt(fd, b("f"), b("user.x"), value), { code: "E2BIG" });
  assert.throws(() => sys.setxattrAt(fd, b("f"), b("user.x"), Buffer.alloc(1 << 20)), {
    code: "E2BIG",
  });
});

test("xattr: long values and long lists", (t) => {
  const { fd } = scratchDirectory(t);
  // tmpfs and ext4 differ in what they hold; 3,000 bytes fit one block of both.
  using file = new sys.Descriptor(sys.openAt(fd, b("f"), sys.O_RDWR | sys.O_CREAT, 0o600));
  const long = Buffer.alloc(1500, 7);
  sys.setxattrFd(file.fd, b("user.long"), long);
  assert.deepEqual(sys.getxattrFd(file.fd, b("user.long")), long);
  sys.removexattrFd(file.fd, b("user.long"));
  const names = Array.from({ length: 12 }, (_, i) => b(`user.${i}-`.padEnd(120, "n")));
  for (const name of names) sys.setxattrFd(file.fd, name, Buffer.alloc(0));
  assert.deepEqual(sys.listxattrFd(file.fd).sort(), names.sort());
});

test("xattr: a symlink's own, by path and by O_PATH descriptor", { skip: noTrusted }, (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.writeFileSync(join(path, "f"), "");
  fs.symlinkSync("f", join(path, "l"));
  const name = "trusted.\xfe\xff" as ByteString;
  sys.setxattrAt(fd, b("l"), name, Buffer.from("link"));
  assert.deepEqual(sys.listxattrAt(fd, b("l")), [name]);
  assert.equal(sys.getxattrAt(fd, b("f"), name), undefined);
  using bare = new sys.Descriptor(sys.openAt(fd, b("l"), sys.O_PATH | sys.O_NOFOLLOW));
  assert.deepEqual(sys.getxattrFd(bare.fd, name), Buffer.from("link"));
  assert.deepEqual(sys.listxattrAt(bare.fd, b("")), [name]);
  sys.setxattrAt(bare.fd, b(""), name, Buffer.from("again"));
  assert.deepEqual(sys.getxattrAt(sys.AT_FDCWD, b(join(path, "l")), name), Buffer.from("again"));
  sys.removexattrFd(bare.fd, name);
  assert.equal(sys.getxattrAt(bare.fd, b(""), name), undefined);
});
