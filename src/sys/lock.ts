// Advisory locks: whole files by flock(2) and byte ranges by fcntl(2), both owned by the open file
// (so a forked or passed descriptor shares them, and the last close frees them).

import { errno } from "../errors.js";
import { checked, failure, lastErrno, libc, makeScratch, uninterrupted } from "./libc.js";

export type LockKind = "shared" | "exclusive" | "unlock";

const LOCK_NB = 4;
const FLOCK_OPERATION: Readonly<Record<LockKind, number>> = { shared: 1, exclusive: 2, unlock: 8 };

const flockNative: (fd: number, operation: number) => number = libc.func(
  "int flock(int fd, int operation)",
);

/** flock(2): true when done, false when it would block and `wait` is false. Throws FsError. */
export function flock(fd: number, kind: LockKind, options: { readonly wait: boolean }): boolean {
  const operation = FLOCK_OPERATION[kind] | (options.wait ? 0 : LOCK_NB);
  if (uninterrupted(() => flockNative(fd, operation)) >= 0) return true;
  if (lastErrno() === errno.EAGAIN) return false;
  throw failure("flock");
}

/** A range of a file; `length` 0 reaches to the end, however far that moves. */
export interface LockRange {
  readonly start: number;
  readonly length: number;
}

/** A lock in the way of another: its kind, range and, for a POSIX lock, the owner's process id. */
export interface LockConflict extends LockRange {
  readonly kind: "shared" | "exclusive";
  /** -1 for a lock that belongs to an open file. */
  readonly pid: number;
}

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_OFD_SETLKW = 38;
const F_RDLCK = 0;
const FLOCK_TYPE: Readonly<Record<LockKind, number>> = {
  shared: F_RDLCK,
  exclusive: 1,
  unlock: 2,
};
const F_UNLCK = FLOCK_TYPE.unlock;

const fcntl: (fd: number, command: number, lock: number) => number = libc.func(
  "int fcntl(int fd, int command, uintptr_t lock)",
);

// struct flock: type 0, whence 2, start 8, length 16, pid 24.
const lock = makeScratch(32);

function prepareLock(kind: LockKind, range: LockRange): void {
  lock.buffer.fill(0);
  lock.view.setInt16(0, FLOCK_TYPE[kind], true);
  lock.view.setBigInt64(8, BigInt(range.start), true);
  lock.view.setBigInt64(16, BigInt(range.length), true);
}

/**
 * Locks or unlocks a range for the open file (F_OFD_SETLK): true when done, false when it would
 * block and `wait` is false. Throws FsError.
 */
export function lockRange(
  fd: number,
  kind: LockKind,
  range: LockRange,
  options: { readonly wait: boolean },
): boolean {
  const command = options.wait ? F_OFD_SETLKW : F_OFD_SETLK;
  prepareLock(kind, range);
  if (uninterrupted(() => fcntl(fd, command, lock.address)) >= 0) return true;
  const number = lastErrno();
  if (number === errno.EAGAIN || number === errno.EACCES) return false;
  throw failure("fcntl");
}

/** The first lock that would be in the way of this one (F_OFD_GETLK), if any. Throws FsError. */
export function conflictingLock(
  fd: number,
  kind: "shared" | "exclusive",
  range: LockRange,
): LockConflict | undefined {
  prepareLock(kind, range);
  checked(fcntl(fd, F_OFD_GETLK, lock.address), "fcntl");
  const type = lock.view.getInt16(0, true);
  if (type === F_UNLCK) return undefined;
  return {
    kind: type === F_RDLCK ? "shared" : "exclusive",
    start: Number(lock.view.getBigInt64(8, true)),
    length: Number(lock.view.getBigInt64(16, true)),
    pid: lock.view.getInt32(24, true),
  };
}

const F_SETLEASE = 1024;

/**
 * True while anybody has the file of `fd`, which is open for reading only, open for writing, or
 * mapped for that: then it can have no lease (fcntl(2), F_SETLEASE). Throws FsError.
 */
export function isOpenForWriting(fd: number): boolean {
  if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
    if (lastErrno() === errno.EAGAIN) return true;
    throw failure("fcntl");
  }
  checked(fcntl(fd, F_SETLEASE, F_UNLCK), "fcntl");
  return false;
}
