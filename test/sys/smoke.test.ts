// One walk through every family of sys, beside node:fs; the corners are in the tests of each file.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

test("sys: a walk through the families agrees with node:fs", (t) => {
  const { path, fd } = scratchDirectory(t);
  const file = sys.openAt(fd, b("f"), sys.O_RDWR | sys.O_CREAT, 0o640);
  sys.pwriteFull(file, Buffer.from("hello"), 0, 5, 3);
  sys.fchmod(file, 0o4751);
  assert.equal(fs.readFileSync(join(path, "f"), "latin1"), "\0\0\0hello");
  const st = sys.statAt(fd, b("f"));
  const oracle = fs.lstatSync(join(path, "f"), { bigint: true });
  assert.equal(st.ino, oracle.ino);
  assert.equal(BigInt(st.mode), oracle.mode);
  assert.equal(BigInt(st.mtimeSec) * 1000000000n + BigInt(st.mtimeNsec), oracle.mtimeNs);
  assert.equal(sys.tryStatAt(fd, b("none")), undefined);
  sys.mkdirAt(fd, b("d"), 0o755);
  sys.symlinkAt(b("target"), fd, b("d/l"));
  assert.equal(sys.readlinkAt(fd, b("d/l")), "target");
  sys.linkAt(fd, b("f"), fd, b("d/g"));
  sys.linkFd(file, fd, b("d/h"));
  sys.mknodAt(fd, b("d/p"), sys.S_IFIFO | 0o600, 0, 0);
  sys.chmodAt(fd, b("d/p"), 0o644);
  assert.throws(() => sys.chmodAt(fd, b("d/l"), 0o644), { code: "EOPNOTSUPP" });
  sys.utimensAt(fd, b("d/l"), { atimeSec: -5, atimeNsec: 7, mtimeSec: 2 ** 33, mtimeNsec: 9 });
  const link = sys.statAt(fd, b("d/l"));
  assert.deepEqual(
    [link.atimeSec, link.atimeNsec, link.mtimeSec, link.mtimeNsec],
    [-5, 7, 2 ** 33, 9],
  );
  sys.renameAt(fd, b("f"), fd, b("d/f2"), sys.RENAME_NOREPLACE);
  const d = sys.openBeneath(fd, b("d"), sys.O_RDONLY | sys.O_DIRECTORY);
  assert.deepEqual(
    sys
      .readDirents(d)
      .map((e) => e.name)
      .sort(),
    ["f2", "g", "h", "l", "p"],
  );
  sys.setxattrAt(fd, b("d/f2"), b("user.x"), Buffer.from([0, 255]));
  assert.deepEqual(sys.getxattrFd(file, b("user.x")), Buffer.from([0, 255]));
  assert.deepEqual(sys.listxattrAt(fd, b("d/f2")), ["user.x"]);
  sys.removexattrAt(fd, b("d/f2"), b("user.x"));
  assert.equal(sys.getxattrAt(fd, b("d/f2"), b("user.x")), undefined);
  const copy = sys.openAt(fd, b("copy"), sys.O_RDWR | sys.O_CREAT, 0o600);
  sys.copyData(file, copy, 8);
  assert.equal(fs.readFileSync(join(path, "copy"), "latin1"), "\0\0\0hello");
  assert.ok(sys.statfsFd(fd).blocks > 0n);
  sys.unlinkAt(fd, b("d/f2"));
  for (const one of [file, d, copy]) sys.close(one);
});
