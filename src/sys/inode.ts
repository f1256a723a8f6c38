// Making, naming, removing inodes and changing their owner, mode and times, all below a directory
// descriptor and never through a final symlink. rename.ts and xattr.ts hold the rest.
// Where an empty path is allowed it means the descriptor's own inode, O_PATH included.

import { readFileSync } from "node:fs";
import { errno } from "../errors.js";
import { type ByteString, bytesOf, bytesOfBuffer } from "../path.js";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  checked,
  failure,
  lastErrno,
  libc,
  makeScratch,
  pathArgument,
  perMachine,
  secondPathArgument,
} from "./libc.js";
import { close, O_NOFOLLOW, O_PATH, openAt, procPath } from "./open.js";

type AtCall = (dirFd: number, path: number, argument: number) => number;

const mkdirat: AtCall = libc.func("int mkdirat(int dirFd, uintptr_t path, unsigned int mode)");
// glibc before 2.33 has no mknodat symbol.
const SYS_MKNODAT = perMachine(259, 33);
const mknodat: (call: number, dirFd: number, path: number, mode: number, dev: number) => number =
  libc.func(
    "long syscall(long call, long dirFd, uintptr_t path, unsigned long mode, uint64_t dev)",
  );
const symlinkat: (target: number, dirFd: number, path: number) => number = libc.func(
  "int symlinkat(uintptr_t target, int dirFd, uintptr_t path)",
);
const readlinkat: (dirFd: number, path: number, out: number, size: number) => number = libc.func(
  "long readlinkat(int dirFd, uintptr_t path, uintptr_t out, size_t size)",
);
const linkat: (
  oldDir: number,
  oldPath: number,
  newDir: number,
  newPath: number,
  flags: number,
) => number = libc.func(
  "int linkat(int oldDir, uintptr_t oldPath, int newDir, uintptr_t newPath, int flags)",
);
const unlinkat: AtCall = libc.func("int unlinkat(int dirFd, uintptr_t path, int flags)");

/** mkdirat(2); the umask applies. Throws FsError. */
export function mkdirAt(dirFd: number, path: ByteString, mode: number): void {
  checked(mkdirat(dirFd, pathArgument(path), mode), "mkdirat", path);
}

/** mknodat(2): `mode` holds the type too; major and minor are 0 but for devices. Throws FsError. */
export function mknodAt(
  dirFd: number,
  path: ByteString,
  mode: number,
  major: number,
  minor: number,
): void {
  const dev = encodeDevice(major, minor);
  checked(mknodat(SYS_MKNODAT, dirFd, pathArgument(path), mode, dev), "mknodat", path);
}

/** new_encode_dev, linux/kdev_t.h: minor bits 0-7 and 20-31, major in between. */
function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** symlinkat(2). Throws FsError. */
export function symlinkAt(target: ByteString, dirFd: number, path: ByteString): void {
  checked(symlinkat(pathArgument(target), dirFd, secondPathArgument(path)), "symlinkat", path);
}

const LINK_MAX_BYTES = 4096;
const link = makeScratch(LINK_MAX_BYTES);

/** Target of a symlink, at most 4,095 bytes; an empty path reads the symlink `dirFd` stands for. */
export function readlinkAt(dirFd: number, path: ByteString): ByteString {
  const length = readlinkat(dirFd, pathArgument(path), link.address, LINK_MAX_BYTES);
  return bytesOfBuffer(link.buffer.subarray(0, checked(length, "readlinkat", path)));
}

/** linkat(2) without following: a symlink gets a second name itself. Throws FsError. */
export function linkAt(
  oldDir: number,
  oldPath: ByteString,
  newDir: number,
  newPath: ByteString,
): void {
  const result = linkat(oldDir, pathArgument(oldPath), newDir, secondPathArgument(newPath), 0);
  checked(result, "linkat", newPath);
}

/** Gives the inode of a descriptor (O_TMPFILE and O_PATH too) a name. Throws FsError. */
export function linkFd(fd: number, newDir: number, newPath: ByteString): void {
  // AT_EMPTY_PATH would ask for CAP_DAC_READ_SEARCH before Linux 6.10; the magic link never does.
  const source = pathArgument(procPath(fd));
  const target = secondPathArgument(newPath);
  checked(linkat(AT_FDCWD, source, newDir, target, AT_SYMLINK_FOLLOW), "linkat", newPath);
}

/** Removes a name that is not a directory's (EISDIR). Throws FsError. */
export function unlinkAt(dirFd: number, path: ByteString): void {
  checked(unlinkat(dirFd, pathArgument(path), 0), "unlinkat", path);
}

/** Removes an empty directory (ENOTEMPTY, ENOTDIR). Throws FsError. */
export function rmdirAt(dirFd: number, path: ByteString): void {
  checked(unlinkat(dirFd, pathArgument(path), AT_REMOVEDIR), "rmdir", path);
}

const chmod: (path: number, mode: number) => number = libc.func(
  "int chmod(uintptr_t path, unsigned int mode)",
);
const fchmodNative: (fd: number, mode: number) => number = libc.func(
  "int fchmod(int fd, unsigned int mode)",
);
const SYS_FCHMODAT2 = 452;
const fchmodat2: (
  call: number,
  dirFd: number,
  path: number,
  mode: number,
  flags: number,
) => number = libc.func(
  "long syscall(long call, long dirFd, uintptr_t path, unsigned long mode, unsigned long flags)",
);
let hasFchmodat2 = true;

/** Sets the permission bits; EOPNOTSUPP on a symlink. An empty path is allowed. Throws FsError. */
export function chmodAt(dirFd: number, path: ByteString, mode: number): void {
  if (hasFchmodat2) {
    const flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    if (fchmodat2(SYS_FCHMODAT2, dirFd, pathArgument(path), mode, flags) >= 0) return;
    if (lastErrno() !== errno.ENOSYS) throw failure("fchmodat2", path);
    hasFchmodat2 = false; // before Linux 6.6
  }
  if (path === "") {
    chmodFd(dirFd, mode, path);
    return;
  }
  const fd = openAt(dirFd, path, O_PATH | O_NOFOLLOW);
  try {
    chmodFd(fd, mode, path);
  } finally {
    close(fd);
  }
}

/** chmod through the magic link: the way that O_PATH descriptors leave open. */
function chmodFd(fd: number, mode: number, path: ByteString): void {
  checked(chmod(pathArgument(procPath(fd)), mode), "chmod", path);
}

/** fchmod(2). Throws FsError. */
export function fchmod(fd: number, mode: number): void {
  checked(fchmodNative(fd, mode), "fchmod");
}

const fchownat: (dirFd: number, path: number, uid: number, gid: number, flags: number) => number =
  libc.func(
    "int fchownat(int dirFd, uintptr_t path, unsigned int uid, unsigned int gid, int flags)",
  );
const fchownNative: (fd: number, uid: number, gid: number) => number = libc.func(
  "int fchown(int fd, unsigned int uid, unsigned int gid)",
);

/** Sets owner and group, a symlink's own too; -1 keeps. An empty path is allowed. Throws FsError. */
export function chownAt(dirFd: number, path: ByteString, uid: number, gid: number): void {
  const flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
  checked(fchownat(dirFd, pathArgument(path), uid >>> 0, gid >>> 0, flags), "fchownat", path);
}

/** fchown(2); -1 keeps. Throws FsError. */
export function fchown(fd: number, uid: number, gid: number): void {
  checked(fchownNative(fd, uid >>> 0, gid >>> 0), "fchown");
}

/** Access and modification time; nanoseconds 0..999999999, or UTIME_NOW or UTIME_OMIT. */
export interface Times {
  readonly atimeSec: number;
  readonly atimeNsec: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
}

export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

const utimensat: (dirFd: number, path: number, times: number, flags: number) => number = libc.func(
  "int utimensat(int dirFd, uintptr_t path, uintptr_t times, int flags)",
);
const futimensNative: (fd: number, times: number) => number = libc.func(
  "int futimens(int fd, uintptr_t times)",
);
const EMPTY = bytesOf("");
const SIZEOF_TIMESPEC = 16;
const timespecs = makeScratch(2 * SIZEOF_TIMESPEC);

/** Sets times to the nanosecond, a symlink's own too; an empty path is allowed. Throws FsError. */
export function utimensAt(dirFd: number, path: ByteString, times: Times): void {
  if (path === "") {
    utimensFd(dirFd, times);
    return;
  }
  const address = timesArgument(times);
  const result = utimensat(dirFd, pathArgument(path), address, AT_SYMLINK_NOFOLLOW);
  checked(result, "utimensat", path);
}

let hasEmptyPath = true;

/** Before Linux 5.8 there was no AT_EMPTY_PATH here (EINVAL); the magic link works on all. */
function utimensFd(fd: number, times: Times): void {
  if (hasEmptyPath) {
    const address = timesArgument(times);
    if (utimensat(fd, pathArgument(EMPTY), address, AT_EMPTY_PATH) >= 0) return;
    if (lastErrno() !== errno.EINVAL) throw failure("utimensat", procPath(fd));
  }
  const path = procPath(fd);
  checked(utimensat(AT_FDCWD, pathArgument(path), timesArgument(times), 0), "utimensat", path);
  hasEmptyPath = false;
}

/** futimens(3). Throws FsError. */
export function futimens(fd: number, times: Times): void {
  checked(futimensNative(fd, timesArgument(times)), "futimens");
}

function timesArgument(times: Times): number {
  setTimespec(0, times.atimeSec, times.atimeNsec);
  setTimespec(SIZEOF_TIMESPEC, times.mtimeSec, times.mtimeNsec);
  return timespecs.address;
}

function setTimespec(at: number, seconds: number, nanoseconds: number): void {
  timespecs.view.setUint32(at, seconds >>> 0, true);
  timespecs.view.setInt32(at + 4, Math.floor(seconds / 0x1_0000_0000), true);
  timespecs.view.setUint32(at + 8, nanoseconds, true);
}

const umaskNative: (mask: number) => number = libc.func("unsigned int umask(unsigned int mask)");

/** Sets the file mode creation mask of the whole process and returns the one before. */
export function umask(mask: number): number {
  return umaskNative(mask);
}

/**
 * The mask as it is. umask(2) can only be asked by setting it, which another thread's files would show
 * for a moment; proc(5) tells it since Linux 4.7.
 */
export function presentUmask(): number {
  const told = /^Umask:\s*([0-7]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  if (told !== undefined) return Number.parseInt(told, 8);
  const mask = umask(0);
  umask(mask);
  return mask;
}
