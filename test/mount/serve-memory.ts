// Entry file of a process that mounts an overlay of memory layers on argv[2]: the session without
// a disk below, for tests of the protocol. `lower` holds a few files of every type.

import { Buffer } from "node:buffer";
import { writeSync } from "node:fs";
import { MessageChannel, Worker } from "node:worker_threads";
import { FuseSession } from "../../src/fuse/session/fuse-session.js";
import { Log } from "../../src/fuse/session/log.js";
import {
  type HelperStart,
  SHARED_WORDS,
  SlowRequests,
} from "../../src/fuse/session/slow-requests.js";
import { memoryLayer, type NewInode } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import { type ByteString, bytesOf, type Name } from "../../src/path.js";
import { mountFuse, openFuseDevice } from "../../src/sys/index.js";

const READY_FD = 1;

function name(text: string): Name {
  return text as Name;
}

function inode(type: NewInode["type"], mode: number, more: Partial<NewInode> = {}): NewInode {
  return { type, mode, umask: 0, uid: 0, gid: 0, ...more };
}

function makeOverlay(): Overlay {
  const lower = memoryLayer();
  const directory = lower.create(lower.root, name("dir"), inode("directory", 0o755), "absent");
  const made = lower.createOpen(directory, name("file"), inode("file", 0o644), "absent", 2);
  made.file.write(Buffer.from("lower content\n"), 0, 14, 0);
  made.file.close();
  const target = bytesOf("dir/file") as ByteString;
  lower.create(lower.root, name("link"), inode("symlink", 0o777, { target }), "absent");
  lower.create(lower.root, name("fifo"), inode("fifo", 0o600), "absent");
  lower.create(lower.root, name("\xff\xfe"), inode("file", 0o600), "absent");
  return new Overlay({ stack: [lower.freeze()], upper: memoryLayer() });
}

function main(): void {
  const target = process.argv[2] ?? "";
  const fd = openFuseDevice();
  mountFuse(fd, bytesOf(target), {
    source: "memory",
    subtype: "strata",
    flags: 0,
    rootMode: 0o040000,
    uid: 0,
    gid: 0,
    allowOther: true,
    defaultPermissions: true,
  });
  const { port1, port2 } = new MessageChannel();
  const released = new Int32Array(new SharedArrayBuffer(4 * SHARED_WORDS));
  const start: HelperStart = { fuseFd: fd, released, port: port2 };
  new Worker(new URL("../../src/fuse/session/slow-requests-thread.js", import.meta.url), {
    workerData: start,
    transferList: [port2],
  });
  const session = new FuseSession(fd, makeOverlay(), {
    log: new Log(),
    slow: new SlowRequests(port1, released, () => undefined),
    options: {
      smallFileBytes: 128 * 1024,
      passthrough: "all",
      fastWakeups: "off",
      maxStackDepth: 1,
      posixAcl: true,
      ownerUid: 0,
      volatile: false,
      syncFd: undefined,
      onReady: () => writeSync(READY_FD, "ready\n"),
      onShutdown: () => undefined,
    },
  });
  session.run();
  process.exit(0);
}

main();
