// Mounting and its undoing on own tmpfs mounts; statfs; what the probes say.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { bytesOf } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

const cannotMount = sys.features().mount ? false : "needs CAP_SYS_ADMIN";
const noOpenTree = sys.features().openTree ? false : "needs open_tree(2) and CAP_SYS_ADMIN";

test("mount, umount2: a tmpfs with its options comes and goes", { skip: cannotMount }, (t) => {
  const { path, fd } = scratchDirectory(t);
  sys.mkdirAt(fd, b("m"), 0o755);
  const target = join(path, "m");
  sys.mount(b("strata-test"), bytesOf(target), b("tmpfs"), sys.MS_NODEV, b("size=1m,mode=0700"));
  try {
    assert.match(
      fs.readFileSync("/proc/self/mounts", "utf8"),
      new RegExp(`^strata-test ${target} tmpfs .*nodev.*size=1024k,mode=700`, "m"),
    );
    using root = new sys.Descriptor(sys.openAt(fd, b("m"), sys.O_PATH));
    const { type, bsize, frsize, blocks, bavail, namelen } = sys.statfsFd(root.fd);
    assert.equal(type, sys.TMPFS_MAGIC);
    assert.deepEqual([blocks * BigInt(frsize), namelen, bsize], [1n << 20n, 255, 4096]);
    assert.equal(bavail, blocks);
    assert.throws(() => sys.umount2(bytesOf(target), 0), { code: "EBUSY" });
  } finally {
    sys.umount2(bytesOf(target), sys.MNT_DETACH);
  }
  assert.throws(() => sys.umount2(bytesOf(target), 0), { code: "EINVAL" });
});

test("openTreeReadOnly: reads everything, writes nothing, is seen by nobody", {
  skip: noOpenTree,
}, (t) => {
  const { path, fd } = scratchDirectory(t);
  fs.mkdirSync(join(path, "layer/d"), { recursive: true });
  fs.writeFileSync(join(path, "layer/d/f"), "content");
  const before = fs.readFileSync("/proc/self/mounts", "utf8");
  using tree = new sys.Descriptor(sys.openTreeReadOnly(bytesOf(join(path, "layer"))));
  assert.equal(fs.readFileSync("/proc/self/mounts", "utf8"), before);
  assert.equal(sys.statFd(tree.fd).ino, sys.statAt(fd, b("layer")).ino);
  using file = new sys.Descriptor(sys.openBeneath(tree.fd, b("d/f"), sys.O_RDONLY));
  assert.equal(sys.statFd(file.fd).sizeBytes, 7);
  const EROFS = { code: "EROFS" };
  assert.throws(() => sys.openAt(tree.fd, b("d/f"), sys.O_WRONLY), EROFS);
  assert.throws(() => sys.reopen(file.fd, sys.O_RDWR), EROFS);
  assert.throws(() => sys.openAt(tree.fd, b("new"), sys.O_WRONLY | sys.O_CREAT, 0o600), EROFS);
  assert.throws(() => sys.mkdirAt(tree.fd, b("new"), 0o700), EROFS);
  assert.throws(() => sys.chmodAt(tree.fd, b("d/f"), 0o777), EROFS);
  assert.throws(() => sys.unlinkAt(tree.fd, b("d/f")), EROFS);
  assert.throws(() => sys.setxattrAt(tree.fd, b("d/f"), b("user.x"), Buffer.alloc(1)), EROFS);
  fs.writeFileSync(join(path, "layer/d/f"), "still writable by its own path");
  assert.throws(() => sys.openTreeReadOnly(bytesOf(join(path, "none"))), { code: "ENOENT" });
});

test("features: agree with what the machine shows", () => {
  const found = sys.features();
  assert.equal(found.root, execFileSync("id", ["-u"], { encoding: "utf8" }).trim() === "0");
  assert.equal(sys.features(), found);
  const release = execFileSync("uname", ["-r"], { encoding: "utf8" });
  assert.ok(release.startsWith(found.kernel.join(".")));
  assert.deepEqual(sys.kernelVersion("6.10-rc1"), [6, 10]);
});

test("features: in a user namespace of one's own only what works there", {
  skip: cannotMount,
}, () => {
  const url = new URL("../../src/sys/index.js", import.meta.url).href;
  const program = `import("${url}").then((sys) => console.log(JSON.stringify(sys.features())))`;
  const text = execFileSync("unshare", ["-Urm", process.execPath, "-e", program], {
    encoding: "utf8",
  });
  const { root, mount, passthrough, trustedXattr, mknodDevices } = JSON.parse(text) as sys.Features;
  assert.deepEqual(
    { root, mount, passthrough, trustedXattr, mknodDevices },
    { root: true, mount: true, passthrough: false, trustedXattr: false, mknodDevices: false },
  );
});

test("sys: two worker threads at once keep their memory apart", async (t) => {
  const { path } = scratchDirectory(t);
  fs.mkdirSync(join(path, "a"));
  fs.writeFileSync(join(path, "b"), "");
  const url = new URL("../../src/sys/index.js", import.meta.url).href;
  const program = (name: string): string => `
    import("${url}").then((sys) => {
      const path = ${JSON.stringify(join(path, name))};
      const modes = new Set();
      for (let i = 0; i < 20000; i++) modes.add(sys.statAt(sys.AT_FDCWD, path).mode >> 12);
      require("node:worker_threads").parentPort.postMessage([...modes]);
    })`;
  const run = (name: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(program(name), { eval: true });
      worker.once("message", resolve).once("error", reject);
    });
  assert.deepEqual(await Promise.all([run("a"), run("b")]), [[sys.DT_DIR], [sys.DT_REG]]);
});
