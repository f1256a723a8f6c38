// ioctl(2) itself and the inode flags it gets and sets. FUSE's own requests are in fuse-device.ts.

import { Buffer } from "node:buffer";
import { checked, libc, makeScratch } from "./libc.js";

/** ioctl with a number for its argument. Negative on failure; lastErrno says why. */
export const ioctlWithNumber: (fd: number, request: number, argument: number) => number = libc.func(
  "int ioctl(int fd, unsigned long request, long argument)",
);

/** ioctl with the address of a Scratch for its argument. Negative on failure. */
export const ioctlWithMemory: (fd: number, request: number, address: number) => number = libc.func(
  "int ioctl(int fd, unsigned long request, uintptr_t argument)",
);

/**
 * The two forms that the flags of an inode come in (linux/fs.h): "flags" is one word of FS_*_FL,
 * "extended" a struct fsxattr, whose first word has FS_XFLAG_*.
 */
export type InodeFlagsForm = "flags" | "extended";

/** What ioctl(2) wants to know of a form. */
interface FormRequests {
  readonly get: number;
  readonly set: number;
  readonly sizeBytes: number;
}

/** Requests by form. FS_IOC_GETFLAGS says "long" in its number; the kernel moves an int all the same. */
export const INODE_FLAGS_REQUESTS: Readonly<Record<InodeFlagsForm, FormRequests>> = {
  flags: { get: 0x80086601, set: 0x40086602, sizeBytes: 4 },
  extended: { get: 0x801c581f, set: 0x401c5820, sizeBytes: 28 },
};

/** FS_*_FL, which statx(2) shows as STATX_ATTR_* of the same value. */
export const FS_IMMUTABLE_FL = 0x10;
export const FS_APPEND_FL = 0x20;
export const FS_SYNC_FL = 0x08;
export const FS_NODUMP_FL = 0x40;
export const FS_NOATIME_FL = 0x80;
export const FS_DIRSYNC_FL = 0x1_0000;

const flagsMemory = makeScratch(32);

/** The flags of an open file or directory, little endian. Throws FsError (ENOTTY: it keeps none). */
export function getInodeFlags(fd: number, form: InodeFlagsForm): Buffer {
  const { get, sizeBytes } = INODE_FLAGS_REQUESTS[form];
  flagsMemory.buffer.fill(0);
  checked(ioctlWithMemory(fd, get, flagsMemory.address), "get inode flags");
  return Buffer.from(flagsMemory.buffer.subarray(0, sizeBytes));
}

/** Sets what getInodeFlags gets. Throws FsError (EPERM, ENOTTY, EOPNOTSUPP). */
export function setInodeFlags(fd: number, form: InodeFlagsForm, flags: Uint8Array): void {
  const { set, sizeBytes } = INODE_FLAGS_REQUESTS[form];
  flagsMemory.buffer.fill(0);
  flagsMemory.buffer.set(flags.subarray(0, sizeBytes), 0);
  checked(ioctlWithMemory(fd, set, flagsMemory.address), "set inode flags");
}
