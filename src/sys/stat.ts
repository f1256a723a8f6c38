// statx(2): everything about an inode, with nanoseconds, which node:fs has only at the price of
// BigInts. The answer is read out of one fixed buffer, so a call allocates its result and no more.

import { errno } from "../errors.js";
import type { ByteString } from "../path.js";
import {
  AT_EMPTY_PATH,
  AT_NO_AUTOMOUNT,
  AT_SYMLINK_NOFOLLOW,
  failure,
  lastErrno,
  libc,
  makeScratch,
  pathArgument,
} from "./libc.js";

/** One inode as the kernel shows it. Times are seconds since 1970 and nanoseconds (0..999999999). */
export interface Stat {
  /** Names the file system: major * 2^20 + minor. */
  readonly dev: number;
  readonly ino: bigint;
  readonly nlink: number;
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly sizeBytes: number;
  /** Allocated, in units of 512 bytes. */
  readonly blocks: number;
  readonly blksize: number;
  readonly atimeSec: number;
  readonly atimeNsec: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  readonly ctimeSec: number;
  readonly ctimeNsec: number;
  /** Birth; 0 where the file system keeps none. */
  readonly btimeSec: number;
  readonly btimeNsec: number;
  /** Of STATX_ATTR_* those that are FS_IMMUTABLE_FL and FS_APPEND_FL as well. */
  readonly attributes: number;
}

const STATX_ATTR_IMMUTABLE_AND_APPEND = 0x30;
const STATX_BASIC_STATS_AND_BTIME = 0xfff;
const FLAGS = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT;
const TWO_32 = 0x1_0000_0000;
const DEV_MINORS = 0x10_0000;

const statx: (dirFd: number, path: number, flags: number, mask: number, out: number) => number =
  libc.func("int statx(int dirFd, uintptr_t path, int flags, unsigned int mask, uintptr_t out)");

const out = makeScratch(256);
const { view } = out;
const emptyPath = makeScratch(1).address;

/**
 * Stat of `path` below `dirFd`; a final symlink is shown itself; an empty path means the
 * descriptor's own inode. Throws FsError.
 */
export function statAt(dirFd: number, path: ByteString): Stat {
  if (statx(dirFd, pathArgument(path), FLAGS, STATX_BASIC_STATS_AND_BTIME, out.address) < 0) {
    throw failure("statx", path);
  }
  return decode();
}

/** As statAt, but undefined where nothing is (ENOENT, ENOTDIR). Throws FsError for all else. */
export function tryStatAt(dirFd: number, path: ByteString): Stat | undefined {
  if (statx(dirFd, pathArgument(path), FLAGS, STATX_BASIC_STATS_AND_BTIME, out.address) < 0) {
    const number = lastErrno();
    if (number === errno.ENOENT || number === errno.ENOTDIR) return undefined;
    throw failure("statx", path);
  }
  return decode();
}

/** Stat of an open file; works on O_PATH descriptors. Throws FsError. */
export function statFd(fd: number): Stat {
  if (statx(fd, emptyPath, FLAGS, STATX_BASIC_STATS_AND_BTIME, out.address) < 0) {
    throw failure("statx");
  }
  return decode();
}

/** struct statx, linux/stat.h: the same layout on every machine. */
function decode(): Stat {
  return {
    dev: view.getUint32(136, true) * DEV_MINORS + view.getUint32(140, true),
    ino: view.getBigUint64(32, true),
    nlink: view.getUint32(16, true),
    mode: view.getUint16(28, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    rdevMajor: view.getUint32(128, true),
    rdevMinor: view.getUint32(132, true),
    sizeBytes: view.getUint32(44, true) * TWO_32 + view.getUint32(40, true),
    blocks: view.getUint32(52, true) * TWO_32 + view.getUint32(48, true),
    blksize: view.getUint32(4, true),
    atimeSec: view.getInt32(68, true) * TWO_32 + view.getUint32(64, true),
    atimeNsec: view.getUint32(72, true),
    mtimeSec: view.getInt32(116, true) * TWO_32 + view.getUint32(112, true),
    mtimeNsec: view.getUint32(120, true),
    ctimeSec: view.getInt32(100, true) * TWO_32 + view.getUint32(96, true),
    ctimeNsec: view.getUint32(104, true),
    btimeSec: view.getInt32(84, true) * TWO_32 + view.getUint32(80, true),
    btimeNsec: view.getUint32(88, true),
    attributes: view.getUint32(8, true) & STATX_ATTR_IMMUTABLE_AND_APPEND,
  };
}
