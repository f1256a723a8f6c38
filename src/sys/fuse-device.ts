// /dev/fuse: opening it, mounting it (by mount(2), or by fusermount3 for those who may not), the
// ioctls of passthrough, and cutting a connection. The messages themselves are in fuse/.

import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { assert } from "../assert.js";
import { EngineError } from "../errors.js";
import { type ByteString, bufferOf, bytesOf, textOf } from "../path.js";
import { ioctlWithMemory } from "./ioctl.js";
import { AT_FDCWD, checked, makeScratch } from "./libc.js";
import { mount } from "./mount.js";
import { close, O_RDWR, openAt } from "./open.js";
import { receiveDescriptor, socketpair } from "./process.js";
import { onPath } from "./programs.js";

const FUSE_DEVICE = bytesOf("/dev/fuse");

/** A new, not yet mounted connection to the kernel. Throws FsError (ENOENT, EACCES, ENODEV). */
export function openFuseDevice(): number {
  return openAt(AT_FDCWD, FUSE_DEVICE, O_RDWR);
}

/** How mountFuse mounts. Source: Documentation/filesystems/fuse.rst, "mount options". */
export interface FuseMountOptions {
  /** The first column of /proc/mounts. */
  readonly source: string;
  /** Shown as the type "fuse.<subtype>". */
  readonly subtype: string;
  /** MS_* flags. */
  readonly flags: number;
  /** Type and permissions of the root inode until its first attributes arrive. */
  readonly rootMode: number;
  readonly uid: number;
  readonly gid: number;
  readonly allowOther: boolean;
  readonly defaultPermissions: boolean;
  readonly maxRead?: number;
  /** Options besides these, whole: for the security modules. */
  readonly more?: readonly string[];
}

/** Mounts the connection `fd` on `target` directly: needs CAP_SYS_ADMIN. Throws FsError. */
export function mountFuse(fd: number, target: ByteString, options: FuseMountOptions): void {
  const text = [
    `fd=${fd}`,
    `rootmode=${options.rootMode.toString(8)}`,
    `user_id=${options.uid}`,
    `group_id=${options.gid}`,
    ...(options.allowOther ? ["allow_other"] : []),
    ...(options.defaultPermissions ? ["default_permissions"] : []),
    ...(options.maxRead === undefined ? [] : [`max_read=${options.maxRead}`]),
    ...(options.more ?? []),
  ].join(",");
  const type = bytesOf(`fuse.${options.subtype}`);
  mount(bytesOf(options.source), target, type, options.flags, bytesOf(text));
}

const FUSERMOUNT = "fusermount3";
/** Where the child finds its end of the socket: the first descriptor after stderr. */
const CHILD_SOCKET = 3;

/**
 * Mounts on `target` through the setuid fusermount3 and returns the connection's descriptor.
 * `options` as for -o, e.g. "rw,nosuid,nodev,fsname=strata,subtype=strata". `auto_unmount` is
 * refused: with it fusermount3 stays. Throws EngineError UNAVAILABLE with fusermount3's own words.
 */
export function mountFuseRootless(target: ByteString, options: string): number {
  assert(!options.split(",").includes("auto_unmount"), "fusermount3 ends when it has mounted");
  const [ours, theirs] = socketpair();
  try {
    try {
      runFusermount("mount on", target, ["-o", options, "--", textOf(target)], theirs);
    } finally {
      // With both ends open, a message that never comes would be waited for, for ever.
      close(theirs);
    }
    return receiveDescriptor(ours);
  } finally {
    close(ours);
  }
}

/** Unmounts what a user mounted, also with libfuse 2; lazily: detached now, gone when unused. */
export function unmountRootless(
  target: ByteString,
  options: { readonly lazy: boolean } = { lazy: false },
): void {
  const lazy = options.lazy ? ["-z"] : [];
  runFusermount("unmount", target, ["-u", ...lazy, "--", textOf(target)], "ignore");
}

/** fusermount of libfuse 2 unmounts as well. */
function program(socket: number | "ignore"): string {
  const isUnmount = socket === "ignore";
  return isUnmount && onPath(FUSERMOUNT) === undefined ? "fusermount" : FUSERMOUNT;
}

function runFusermount(
  verb: string,
  target: ByteString,
  argv: readonly string[],
  socket: number | "ignore",
): void {
  // An argument is text to Node; a target that is not would silently become another one.
  if (!bufferOf(target).equals(Buffer.from(textOf(target)))) {
    throw new EngineError(
      "UNSUPPORTED",
      `Cannot ${verb} "${textOf(target)}": ${FUSERMOUNT} is passed UTF-8 paths only`,
    );
  }
  const child = spawnSync(program(socket), argv, {
    stdio: ["ignore", "ignore", "pipe", socket],
    env: { ...process.env, _FUSE_COMMFD: String(CHILD_SOCKET) },
    encoding: "utf8",
  });
  if (child.status === 0) return;
  const state = child.error?.message ?? (child.stderr.trim() || `ended by ${child.signal}`);
  throw new EngineError("UNAVAILABLE", `Cannot ${verb} "${textOf(target)}": ${state}`);
}

/** _IOW(229, 1, struct fuse_backing_map) and _IOW(229, 2, uint32_t), linux/fuse.h. */
const FUSE_DEV_IOC_BACKING_OPEN = 0x4010e501;
const FUSE_DEV_IOC_BACKING_CLOSE = 0x4004e502;
const backing = makeScratch(16);

/** Registers an open file for passthrough and returns its backing id. Throws FsError. */
export function backingOpen(fuseFd: number, fd: number): number {
  backing.buffer.fill(0, 0, 16);
  backing.view.setInt32(0, fd, true);
  return checked(
    ioctlWithMemory(fuseFd, FUSE_DEV_IOC_BACKING_OPEN, backing.address),
    "backing open",
  );
}

/** Gives a backing id back; files that are open through it stay usable. Throws FsError. */
export function backingClose(fuseFd: number, id: number): void {
  backing.view.setUint32(0, id, true);
  checked(ioctlWithMemory(fuseFd, FUSE_DEV_IOC_BACKING_CLOSE, backing.address), "backing close");
}

/** Ends a connection at once: all its requests fail, its server reads ENODEV. Throws Node's error. */
export function abortConnection(devMinor: number): void {
  writeFileSync(`/sys/fs/fuse/connections/${devMinor}/abort`, "1");
}
