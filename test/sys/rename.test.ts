// renameat2 and its flags, beside node:fs.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

const noWhiteouts = sys.features().mknodWhiteouts ? false : "needs Linux 5.8 or CAP_MKNOD";

test("renameAt: replaces, refuses to, swaps", (t) => {
  const { path, fd } = scratchDirectory(t);
  const read = (name: string): string => fs.readFileSync(join(path, name), "utf8");
  fs.writeFileSync(join(path, "one"), "1");
  fs.mkdirSync(join(path, "d"));
  fs.writeFileSync(join(path, "d/two"), "2");
  using d = new sys.Descriptor(sys.openAt(fd, b("d"), sys.O_PATH));
  assert.throws(() => sys.renameAt(fd, b("one"), d.fd, b("two"), sys.RENAME_NOREPLACE), {
    code: "EEXIST",
    path: "two",
  });
  sys.renameAt(fd, b("one"), d.fd, b("two"), sys.RENAME_EXCHANGE);
  assert.deepEqual([read("one"), read("d/two")], ["2", "1"]);
  sys.renameAt(fd, b("one"), d.fd, b("two"));
  assert.deepEqual([fs.readdirSync(path), read("d/two")], [["d"], "2"]);
  assert.throws(() => sys.renameAt(fd, b("d"), d.fd, b("below")), { code: "EINVAL" });
  assert.throws(() => sys.renameAt(fd, b("none"), fd, b("x")), { code: "ENOENT" });
});

test("renameAt: leaves a whiteout where it is told to", { skip: noWhiteouts }, (t) => {
  const { fd } = scratchDirectory(t);
  sys.mkdirAt(fd, b("d"), 0o700);
  sys.renameAt(fd, b("d"), fd, b("e"), sys.RENAME_WHITEOUT);
  const whiteout = sys.statAt(fd, b("d"));
  assert.ok(sys.isCharacterDevice(whiteout.mode));
  assert.deepEqual([whiteout.rdevMajor, whiteout.rdevMinor], [0, 0]);
});

test("mknodAt: anybody makes a whiteout", { skip: noWhiteouts }, (t) => {
  const { fd } = scratchDirectory(t);
  sys.mknodAt(fd, b("w"), sys.S_IFCHR, 0, 0);
  assert.ok(sys.isCharacterDevice(sys.statAt(fd, b("w")).mode));
});
