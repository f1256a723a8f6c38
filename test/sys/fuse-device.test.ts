// Mounting without a server: the kernel's first message (INIT) proves which connection is mounted.
// Nothing here looks into a mount: with nobody to answer, that would hang.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { EngineError } from "../../src/errors.js";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

const LIMIT = { timeout: 30_000 };
const FUSE_INIT = 26;
const { mount, fuseDevice, fusermount3 } = sys.features();
const cannotMount = mount && fuseDevice ? false : "needs CAP_SYS_ADMIN and /dev/fuse";
// fusermount3 opens /dev/fuse with the rights of its caller.
const cannotFusermount =
  fusermount3 !== undefined && fuseDevice ? false : "needs fusermount3 and access to /dev/fuse";

const PLAIN: sys.FuseMountOptions = {
  source: "strata-test",
  subtype: "strata",
  flags: 0,
  rootMode: sys.S_IFDIR,
  uid: 0,
  gid: 0,
  allowOther: false,
  defaultPermissions: false,
};

/** The opcode of the first message that waits on the connection. */
function firstOpcode(fd: number): number {
  const [revents] = sys.poll([{ fd, events: sys.POLLIN }], 20_000);
  assert.equal(revents, sys.POLLIN);
  const buffer = Buffer.alloc(1 << 17);
  assert.ok(sys.tryRead(fd, buffer) >= 40);
  return buffer.readUInt32LE(4);
}

function mountInfo(target: string): string | undefined {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .find((line) => line.split(" ")[1] === target);
}

function emptyTarget(t: TestContext): string {
  const { path, fd } = scratchDirectory(t);
  sys.mkdirAt(fd, b("mnt"), 0o755);
  return join(path, "mnt");
}

test("mountFuse: mounts this very connection with its options", {
  ...LIMIT,
  skip: cannotMount,
}, (t) => {
  const target = emptyTarget(t);
  const fd = sys.openFuseDevice();
  t.after(() => sys.close(fd));
  sys.mountFuse(fd, b(target), {
    source: "strata-test",
    subtype: "strata",
    flags: sys.MS_NOSUID | sys.MS_NODEV,
    rootMode: sys.S_IFDIR | 0o755,
    uid: 0,
    gid: 0,
    allowOther: true,
    defaultPermissions: true,
    maxRead: 65536,
  });
  try {
    assert.equal(firstOpcode(fd), FUSE_INIT);
    const line = mountInfo(target) ?? "";
    assert.match(line, /^strata-test .* fuse\.strata /);
    for (const option of [
      "nosuid",
      "nodev",
      "allow_other",
      "default_permissions",
      "max_read=65536",
    ]) {
      assert.ok(line.includes(option), `${option} in ${line}`);
    }
  } finally {
    sys.umount2(b(target), sys.MNT_DETACH);
  }
  assert.equal(mountInfo(target), undefined);
});

test("mountFuse: a missing target is ENOENT", { ...LIMIT, skip: cannotMount }, (t) => {
  const target = emptyTarget(t);
  using device = new sys.Descriptor(sys.openFuseDevice());
  assert.throws(() => sys.mountFuse(device.fd, b(`${target}/none`), PLAIN), { code: "ENOENT" });
});

test("mountFuseRootless: passes the mounted connection back", {
  ...LIMIT,
  skip: cannotFusermount,
}, (t) => {
  const target = emptyTarget(t);
  const fd = sys.mountFuseRootless(b(target), "rw,nosuid,nodev,fsname=strata-test,subtype=strata");
  t.after(() => sys.close(fd));
  try {
    assert.equal(firstOpcode(fd), FUSE_INIT);
    assert.match(mountInfo(target) ?? "", /^strata-test .* fuse\.strata /);
  } finally {
    sys.unmountRootless(b(target), { lazy: true });
  }
  assert.equal(mountInfo(target), undefined);
});

test("mountFuseRootless: an error ends in fusermount3's own words", {
  ...LIMIT,
  skip: cannotFusermount,
}, (t) => {
  const target = `${emptyTarget(t)}/none`;
  assert.throws(
    () => sys.mountFuseRootless(b(target), "rw,fsname=strata-test"),
    (error) =>
      error instanceof EngineError &&
      error.code === "UNAVAILABLE" &&
      error.message.startsWith(`Cannot mount on "${target}": fusermount3: `),
  );
  assert.throws(() => sys.unmountRootless(b(target)), EngineError);
});

/** Answers INIT with FUSE_PASSTHROUGH (bit 37) allowed, one file system deep: linux/fuse.h. */
function acceptPassthrough(fd: number): void {
  const request = Buffer.alloc(1 << 17);
  assert.ok(sys.tryRead(fd, request) >= 40);
  const reply = Buffer.alloc(16 + 64);
  reply.writeUInt32LE(reply.length, 0);
  request.copy(reply, 8, 8, 16); // unique
  reply.writeUInt32LE(7, 16);
  reply.writeUInt32LE(41, 20);
  reply.writeUInt32LE(1 << 30, 28); // FUSE_INIT_EXT: flags2 counts
  reply.writeUInt32LE(1 << 16, 36); // max_write
  reply.writeUInt32LE(1 << 5, 48); // flags2
  reply.writeUInt32LE(1, 52); // max_stack_depth
  assert.equal(sys.tryWrite(fd, reply, reply.length), reply.length);
}

test("backingOpen: registers a file once passthrough is agreed on; backingClose forgets it", {
  ...LIMIT,
  skip: sys.features().passthrough ? cannotMount : "needs FUSE passthrough",
}, (t) => {
  const { path, fd } = scratchDirectory(t);
  sys.mkdirAt(fd, b("mnt"), 0o755);
  using device = new sys.Descriptor(sys.openFuseDevice());
  using file = new sys.Descriptor(sys.openAt(fd, b("f"), sys.O_RDWR | sys.O_CREAT, 0o600));
  sys.mountFuse(device.fd, b(join(path, "mnt")), PLAIN);
  try {
    acceptPassthrough(device.fd);
    const id = sys.backingOpen(device.fd, file.fd);
    assert.ok(id > 0);
    sys.backingClose(device.fd, id);
    assert.throws(() => sys.backingClose(device.fd, id), { code: "ENOENT" });
  } finally {
    sys.umount2(b(join(path, "mnt")), sys.MNT_DETACH);
  }
});

test("backingOpen: an unmounted connection has no backing files", { skip: cannotMount }, (t) => {
  const { fd } = scratchDirectory(t);
  using device = new sys.Descriptor(sys.openFuseDevice());
  using file = new sys.Descriptor(sys.openAt(fd, b("f"), sys.O_RDWR | sys.O_CREAT, 0o600));
  assert.throws(() => sys.backingOpen(device.fd, file.fd), { code: "EPERM" });
});

test("sendDescriptor: the other end gets the same open file, close-on-exec", (t) => {
  const { fd } = scratchDirectory(t);
  const [one, other] = sys.socketpair();
  using file = new sys.Descriptor(sys.openAt(fd, b("f"), sys.O_RDWR | sys.O_CREAT, 0o600));
  sys.sendDescriptor(one, file.fd);
  using received = new sys.Descriptor(sys.receiveDescriptor(other));
  assert.equal(sys.statFd(received.fd).ino, sys.statFd(file.fd).ino);
  assert.match(readFileSync(`/proc/self/fdinfo/${received.fd}`, "utf8"), /^flags:\s+0?2\d{6}$/m);
  sys.close(one);
  assert.throws(() => sys.receiveDescriptor(other), { code: "ENOTCONN" });
  sys.close(other);
});
