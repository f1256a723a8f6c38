// ioctl(2) itself and the inode flags it gets and sets. FUSE's own requests are in fuse-device.ts.

import { errno } from "../errors.js";
import { checked, failure, lastErrno, libc, makeScratch } from "./libc.js";

/** ioctl with a number for its argument. Negative on failure; lastErrno says why. */
export const ioctlWithNumber: (fd: number, request: number, argument: number) => number = libc.func(
  "int ioctl(int fd, unsigned long request, long argument)",
);

/** ioctl with the address of a Scratch for its argument. Negative on failure. */
export const ioctlWithMemory: (fd: number, request: number, address: number) => number = libc.func(
  "int ioctl(int fd, unsigned long request, uintptr_t argument)",
);

/** _IOR('f', 1, long) and _IOW('f', 2, long), linux/fs.h; the kernel moves an int all the same. */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;

export const FS_IMMUTABLE_FL = 0x10;
export const FS_APPEND_FL = 0x20;

const flagsMemory = makeScratch(8);

/** FS_*_FL of an open file; 0 where the file system keeps none. Throws FsError. */
export function getInodeFlags(fd: number): number {
  if (ioctlWithMemory(fd, FS_IOC_GETFLAGS, flagsMemory.address) < 0) {
    const number = lastErrno();
    if (number === errno.ENOTTY || number === errno.EOPNOTSUPP) return 0;
    throw failure("ioctl");
  }
  return flagsMemory.view.getUint32(0, true);
}

/** Sets FS_*_FL of an open file. Throws FsError (EPERM, ENOTTY, EOPNOTSUPP). */
export function setInodeFlags(fd: number, flags: number): void {
  flagsMemory.view.setUint32(0, flags, true);
  checked(ioctlWithMemory(fd, FS_IOC_SETFLAGS, flagsMemory.address), "ioctl");
}
