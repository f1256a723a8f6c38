// The flags of an inode (chattr(1)) by name, without opening it: file_getattr(2), Linux 6.17.

import { errno } from "../errors.js";
import type { ByteString } from "../path.js";
import { FS_APPEND_FL, FS_IMMUTABLE_FL, FS_NOATIME_FL, FS_NODUMP_FL, FS_SYNC_FL } from "./ioctl.js";
import { AT_SYMLINK_NOFOLLOW, lastErrno, libc, makeScratch, pathArgument } from "./libc.js";

const SYS_FILE_GETATTR = 468;
const fileGetattr: (
  call: number,
  dirFd: number,
  path: number,
  attributes: number,
  size: number,
  flags: number,
) => number = libc.func(
  "long syscall(long call, long dirFd, uintptr_t path, uintptr_t attributes, size_t size, unsigned long flags)",
);

/** struct file_attr, linux/fs.h: FS_XFLAG_* first. */
const SIZEOF_FILE_ATTR = 24;
const attributes = makeScratch(SIZEOF_FILE_ATTR);

/** FS_XFLAG_* and the FS_*_FL that means the same (fs/file_attr.c, fileattr_fill_flags). */
const FLAGS: readonly (readonly [extended: number, flag: number])[] = [
  [0x08, FS_IMMUTABLE_FL],
  [0x10, FS_APPEND_FL],
  [0x20, FS_SYNC_FL],
  [0x40, FS_NOATIME_FL],
  [0x80, FS_NODUMP_FL],
];

let isThere = true;

/**
 * FS_*_FL of a regular file as far as they mean the same on every file system; undefined where the kernel doesn't say,
 * whatever the reason: getInodeFlags says more.
 */
export function fileFlagsAt(dirFd: number, path: ByteString): number | undefined {
  if (!isThere) return undefined;
  const { address, view } = attributes;
  const at = pathArgument(path);
  const flags = AT_SYMLINK_NOFOLLOW;
  if (fileGetattr(SYS_FILE_GETATTR, dirFd, at, address, SIZEOF_FILE_ATTR, flags) < 0) {
    // An older kernel; or a container's filter.
    if (lastErrno() === errno.ENOSYS || lastErrno() === errno.EPERM) isThere = false;
    return undefined;
  }
  const extended = view.getUint32(0, true);
  // Hardly any file has one.
  if (extended === 0) return 0;
  return FLAGS.reduce((word, [bit, flag]) => (extended & bit ? word | flag : word), 0);
}
