// The two families of errors that callers may act on: FsError carries an errno (system calls and
// the overlay), EngineError a closed code (everything about images, stores and commands).
// Message form: Cannot <verb> "<object>": <state>. Programmer errors are in assert.ts.

import { constants } from "node:os";

const nameOfErrno = new Map<number, string>(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

/** Numbers of the Linux errors strata answers with or looks for (errno.h, asm-generic). */
export const errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

/** The symbolic name of an errno ("ENOENT"), or "errno 999" for an unknown one. */
export function errnoName(number: number): string {
  return nameOfErrno.get(number) ?? `errno ${number}`;
}

/** A failed operation on files: `errno` is what the kernel said or what the kernel is to be told. */
export class FsError extends Error {
  override readonly name = "FsError";
  /** Positive errno, e.g. 2 for ENOENT. */
  readonly errno: number;
  /** Symbolic name, as in Node's own errors: "ENOENT". */
  readonly code: string;
  /** The system call or overlay operation that failed: "openat", "rename". */
  readonly operation: string;
  /** The object, for people; empty where only a descriptor is known. */
  readonly path: string;

  constructor(number: number, operation: string, path = "") {
    super(`Cannot ${operation} "${path}": ${errnoName(number)}`);
    this.errno = number;
    this.code = errnoName(number);
    this.operation = operation;
    this.path = path;
  }
}

/** True for an FsError with one of these errnos (all of them when none is named). */
export function isFsError(error: unknown, ...numbers: readonly number[]): error is FsError {
  return error instanceof FsError && (numbers.length === 0 || numbers.includes(error.errno));
}

/** What a caller can do about an EngineError: each code asks for another reaction. */
export type EngineErrorCode =
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "INVALID_ARGUMENT"
  | "IN_USE"
  | "DATA_LOSS"
  | "UNAVAILABLE"
  | "UNAUTHORIZED"
  | "UNSUPPORTED";

/** A refused or failed command. The message is whole: the CLI prints it and nothing else. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
