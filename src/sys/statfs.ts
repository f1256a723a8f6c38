// statfs(2): room and limits of a file system.

import { checked, libc, makeScratch } from "./libc.js";

/** A file system's room. Blocks are of `frsize` bytes each. */
export interface Statfs {
  /** Magic number (linux/magic.h). */
  readonly type: number;
  readonly bsize: number;
  readonly blocks: bigint;
  readonly bfree: bigint;
  readonly bavail: bigint;
  readonly files: bigint;
  readonly ffree: bigint;
  /** Longest name, in bytes. */
  readonly namelen: number;
  readonly frsize: number;
  /** ST_* mount flags. */
  readonly flags: number;
}

export const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
export const FUSE_SUPER_MAGIC = 0x65735546;
export const TMPFS_MAGIC = 0x01021994;
export const EXT4_SUPER_MAGIC = 0xef53;
export const XFS_SUPER_MAGIC = 0x58465342;
export const BTRFS_SUPER_MAGIC = 0x9123683e;

const fstatfs: (fd: number, out: number) => number = libc.func(
  "int fstatfs(int fd, uintptr_t out)",
);
const out = makeScratch(256);

/** statfs of the file system that an open file (O_PATH too) lies on. Throws FsError. */
export function statfsFd(fd: number): Statfs {
  checked(fstatfs(fd, out.address), "fstatfs");
  const { view } = out;
  return {
    type: view.getUint32(0, true),
    bsize: view.getUint32(8, true),
    blocks: view.getBigUint64(16, true),
    bfree: view.getBigUint64(24, true),
    bavail: view.getBigUint64(32, true),
    files: view.getBigUint64(40, true),
    ffree: view.getBigUint64(48, true),
    namelen: view.getUint32(64, true),
    frsize: view.getUint32(72, true),
    flags: view.getUint32(80, true),
  };
}
