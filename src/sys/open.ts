// Descriptors: open, openat2, close, dup, and the Descriptor that closes itself.
// Every descriptor made here is close-on-exec; the O_* values differ between machines.

import { errno, FsError } from "../errors.js";
import { type ByteString, bytesOf, textOf } from "../path.js";
import {
  AT_FDCWD,
  checked,
  failure,
  lastErrno,
  libc,
  makeScratch,
  pathArgument,
  perMachine,
} from "./libc.js";

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_ACCMODE = 3;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DSYNC = 0o10000;
// asm/fcntl.h: aarch64 has its own four, everything else is asm-generic on both machines.
export const O_DIRECT = perMachine(0o40000, 0o200000);
export const O_LARGEFILE = perMachine(0o100000, 0o400000);
export const O_DIRECTORY = perMachine(0o200000, 0o40000);
export const O_NOFOLLOW = perMachine(0o400000, 0o100000);
export const O_NOATIME = 0o1000000;
export const O_CLOEXEC = 0o2000000;
export const O_SYNC = 0o4010000;
export const O_PATH = 0o10000000;
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;

const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;
const STRICT = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
const SYS_OPENAT2 = 437;
const SIZEOF_OPEN_HOW = 24;

const openat: (dirFd: number, path: number, flags: number, mode: number) => number = libc.func(
  "int openat(int dirFd, uintptr_t path, int flags, unsigned int mode)",
);
const openat2: (call: number, dirFd: number, path: number, how: number, size: number) => number =
  libc.func("long syscall(long call, long dirFd, uintptr_t path, uintptr_t how, size_t size)");
const closeNative: (fd: number) => number = libc.func("int close(int fd)");
const fcntl: (fd: number, command: number, argument: number) => number = libc.func(
  "int fcntl(int fd, int command, long argument)",
);

const how = makeScratch(SIZEOF_OPEN_HOW);

/** openat(2) with O_CLOEXEC. `mode` matters to O_CREAT and O_TMPFILE. Throws FsError. */
export function openAt(dirFd: number, path: ByteString, flags: number, mode = 0): number {
  const fd = openRaw(dirFd, path, flags, mode);
  if (fd < 0) throw failure("openat", path);
  return fd;
}

/** As openAt, but undefined where nothing is (ENOENT, ENOTDIR). */
export function tryOpenAt(
  dirFd: number,
  path: ByteString,
  flags: number,
  mode = 0,
): number | undefined {
  const fd = openRaw(dirFd, path, flags, mode);
  if (fd >= 0) return fd;
  const number = lastErrno();
  if (number === errno.ENOENT || number === errno.ENOTDIR) return undefined;
  throw failure("openat", path);
}

function openRaw(dirFd: number, path: ByteString, flags: number, mode: number): number {
  for (;;) {
    const fd = openat(dirFd, pathArgument(path), flags | O_CLOEXEC, mode);
    if (fd >= 0 || lastErrno() !== errno.EINTR) return fd;
  }
}

/**
 * Opens a relative path of any depth that must not leave `dirFd` and may not meet a symlink, not
 * even at its end (ELOOP; EXDEV for ".."). An empty path is the directory itself. Throws FsError.
 * Source: openat2(2), RESOLVE_BENEATH.
 */
export function openBeneath(dirFd: number, path: ByteString, flags: number, mode = 0): number {
  const fd = openBeneathRaw(dirFd, path, flags, mode);
  if (fd < 0) throw failure("openat2", path);
  return fd;
}

/** As openBeneath, but undefined where nothing is (ENOENT, ENOTDIR). */
export function tryOpenBeneath(
  dirFd: number,
  path: ByteString,
  flags: number,
  mode = 0,
): number | undefined {
  return absentOr(openBeneathRaw(dirFd, path, flags, mode), path);
}

/**
 * Opens a path as a process whose root is `dirFd` would: symlinks are followed and cannot lead out.
 * Undefined where nothing is (ENOENT, ENOTDIR). Throws FsError. Source: openat2(2), RESOLVE_IN_ROOT.
 */
export function tryOpenInRoot(dirFd: number, path: ByteString, flags: number): number | undefined {
  return absentOr(openHow(dirFd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), path);
}

/** The descriptor; undefined where the last call found nothing. */
function absentOr(fd: number, path: ByteString): number | undefined {
  if (fd >= 0) return fd;
  const number = lastErrno();
  if (number === errno.ENOENT || number === errno.ENOTDIR) return undefined;
  throw failure("openat2", path);
}

const HERE = bytesOf(".");

function openBeneathRaw(dirFd: number, path: ByteString, flags: number, mode: number): number {
  return openHow(dirFd, path, flags, mode, STRICT);
}

function openHow(
  dirFd: number,
  path: ByteString,
  flags: number,
  mode: number,
  resolve: number,
): number {
  how.view.setUint32(0, flags | O_CLOEXEC, true);
  how.view.setUint32(8, mode, true);
  how.view.setUint32(16, resolve, true);
  for (;;) {
    const address = pathArgument(path === "" ? HERE : path);
    const fd = openat2(SYS_OPENAT2, dirFd, address, how.address, SIZEOF_OPEN_HOW);
    if (fd >= 0) return fd;
    // EAGAIN: a rename elsewhere raced with the walk (openat2(2)); the walk is simply done again.
    const number = lastErrno();
    if (number !== errno.EINTR && number !== errno.EAGAIN) return fd;
  }
}

/** close(2). EINTR is not retried: on Linux the descriptor is gone all the same. Throws FsError. */
export function close(fd: number): void {
  if (closeNative(fd) < 0 && lastErrno() !== errno.EINTR) throw failure("close");
}

const F_DUPFD_CLOEXEC = 1030;

/** Another descriptor of the same open file, close-on-exec. Throws FsError. */
export function dup(fd: number): number {
  return checked(fcntl(fd, F_DUPFD_CLOEXEC, 0), "fcntl");
}

/**
 * Makes room for `count` descriptors in the process's table; no more where its limit is lower. The kernel doubles
 * the table when it is full, and in a process with several threads waits each time until none looks at
 * the old one (expand_fdtable, synchronize_rcu: some 10 ms).
 */
export function reserveDescriptors(count: number): void {
  const any = openAt(AT_FDCWD, bytesOf("/"), O_PATH);
  const last = fcntl(any, F_DUPFD_CLOEXEC, count - 1);
  if (last >= 0) close(last);
  close(any);
}

const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** Whether a program that this process starts inherits the descriptor. Throws FsError. */
export function setInheritable(fd: number, inheritable: boolean): void {
  checked(fcntl(fd, F_SETFD, inheritable ? 0 : FD_CLOEXEC), "fcntl");
}

const F_GETFL = 3;
const F_SETFL = 4;

/** Whether reading waits, or gives EAGAIN; for all who have this open file. Throws FsError. */
export function setBlocking(fd: number, blocking: boolean): void {
  const flags = checked(fcntl(fd, F_GETFL, 0), "fcntl");
  checked(fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), "fcntl");
}

/** The magic link to an open file: following it reaches the very inode, whatever its name. */
export function procPath(fd: number): ByteString {
  return `/proc/self/fd/${fd}` as ByteString;
}

/** Opens the inode of a descriptor anew: turns an O_PATH descriptor into a usable one. */
export function reopen(fd: number, flags: number): number {
  return openAt(AT_FDCWD, procPath(fd), flags);
}

/** A descriptor with one owner: `using` closes it at the end of the block, once. */
export class Descriptor implements Disposable {
  readonly #fd: number;
  #open = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The number; EBADF after close, so that a recycled number is never touched by mistake. */
  get fd(): number {
    if (!this.#open) throw new FsError(errno.EBADF, "use", textOf(procPath(this.#fd)));
    return this.#fd;
  }

  /** Closes it; a second call does nothing. Throws FsError (EIO, ENOSPC, EDQUOT: lost writes). */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
