// Mounts: mount, umount2, and a directory's read-only view without a mount point.
// Mounting FUSE is in fuse-device.ts.

import { Buffer } from "node:buffer";
import { type ByteString, bytesOf } from "../path.js";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  checked,
  failure,
  libc,
  makeScratch,
  nameArgument,
  pathArgument,
  secondPathArgument,
} from "./libc.js";
import { close, O_CLOEXEC } from "./open.js";

export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_SYNCHRONOUS = 16;
export const MS_REMOUNT = 32;
export const MS_DIRSYNC = 128;
export const MS_NOATIME = 1024;
export const MS_NODIRATIME = 2048;
export const MS_BIND = 4096;
export const MS_MOVE = 8192;
export const MS_REC = 16384;
export const MS_PRIVATE = 1 << 18;
export const MNT_FORCE = 1;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

const mountNative: (
  source: number,
  target: number,
  type: number,
  flags: number,
  options: Uint8Array,
) => number = libc.func(
  "int mount(uintptr_t source, uintptr_t target, uintptr_t type, unsigned long flags, void *options)",
);
const umount2Native: (target: number, flags: number) => number = libc.func(
  "int umount2(uintptr_t target, int flags)",
);

/** mount(2); `options` is what a file system reads beyond the flags. Throws FsError. */
export function mount(
  source: ByteString,
  target: ByteString,
  type: ByteString,
  flags: number,
  options: ByteString,
): void {
  const result = mountNative(
    pathArgument(source),
    secondPathArgument(target),
    nameArgument(type),
    flags,
    Buffer.from(`${options}\0`, "latin1"),
  );
  checked(result, "mount", target);
}

/** umount2(2). Throws FsError (EINVAL: not a mount point; EBUSY). */
export function umount2(target: ByteString, flags: number): void {
  checked(umount2Native(pathArgument(target), flags), "umount2", target);
}

const SYS_OPEN_TREE = 428;
const SYS_MOUNT_SETATTR = 442;
const OPEN_TREE_CLONE = 1;
const MOUNT_ATTR_RDONLY = 1;
const SIZEOF_MOUNT_ATTR = 32;

const openTree: (call: number, dirFd: number, path: number, flags: number) => number = libc.func(
  "long syscall(long call, long dirFd, uintptr_t path, unsigned long flags)",
);
const mountSetattr: (
  call: number,
  dirFd: number,
  path: number,
  flags: number,
  attributes: number,
  size: number,
) => number = libc.func(
  "long syscall(long call, long dirFd, uintptr_t path, unsigned long flags, uintptr_t attributes, size_t size)",
);
const attributes = makeScratch(SIZEOF_MOUNT_ATTR);
const NOTHING = bytesOf("");

/**
 * A directory descriptor on a detached, read-only clone of the mount that `path` lies on: a bind
 * mount that nobody sees, gone when the last descriptor below it is closed. What is opened through
 * it can't be written, not even by the kernel on our behalf. Mounts below `path` are not in it.
 * Throws FsError (EPERM without CAP_SYS_ADMIN, ENOSYS before Linux 5.12).
 */
export function openTreeReadOnly(path: ByteString): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC;
  const fd = openTree(SYS_OPEN_TREE, AT_FDCWD, pathArgument(path), flags);
  if (fd < 0) throw failure("open_tree", path);
  attributes.view.setUint32(0, MOUNT_ATTR_RDONLY, true);
  const result = mountSetattr(
    SYS_MOUNT_SETATTR,
    fd,
    pathArgument(NOTHING),
    AT_EMPTY_PATH,
    attributes.address,
    SIZEOF_MOUNT_ATTR,
  );
  if (result < 0) {
    const error = failure("mount_setattr", path);
    close(fd);
    throw error;
  }
  return fd;
}
