// The C library of this process, errno, and the memory that arguments are passed in.
// Prototypes live beside the functions that use them; pointers are declared `uintptr_t` where the
// memory is a Scratch (its address never changes) and `void *` where the caller brings a buffer.

import { Buffer } from "node:buffer";
import koffi from "koffi";
import { assert } from "../assert.js";
import { EngineError, errno, FsError } from "../errors.js";
import { type ByteString, textOf } from "../path.js";

/** The symbols that are already in the process: works with every C library Node runs on. */
export const libc = koffi.load(null);

/** errno of the native call just made on this thread. */
export function lastErrno(): number {
  return koffi.errno();
}

/** The FsError for the native call that has just failed. */
export function failure(operation: string, path?: ByteString): FsError {
  return new FsError(koffi.errno(), operation, path === undefined ? "" : textOf(path));
}

/** Throws what the call has just failed with when `result` is negative; else hands it on. */
export function checked(result: number, operation: string, path?: ByteString): number {
  if (result < 0) throw failure(operation, path);
  return result;
}

/** Repeats a call that a signal may interrupt before it has done anything. Not for hot paths. */
export function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call();
    if (result >= 0 || koffi.errno() !== errno.EINTR) return result;
  }
}

/** Memory outside the heap: it never moves, so its address is asked for once. One a thread. */
export interface Scratch {
  readonly buffer: Buffer;
  readonly view: DataView;
  /** For parameters declared `uintptr_t`. Below 2^53 on every machine we run on. */
  readonly address: number;
}

/** Holds on to every Scratch: whoever kept only the address must not lose the memory to V8. */
const kept: Scratch[] = [];

/** Never freed: for module-level constants only. */
export function makeScratch(sizeBytes: number): Scratch {
  // An ArrayBuffer of its own: small typed arrays may live on the moving heap.
  const memory = new ArrayBuffer(Math.max(sizeBytes, 256));
  const buffer = Buffer.from(memory);
  const scratch = { buffer, view: new DataView(memory), address: Number(koffi.address(buffer)) };
  kept.push(scratch);
  return scratch;
}

/** The longest path the kernel takes, with its NUL (PATH_MAX, linux/limits.h). */
const PATH_MAX_BYTES = 4096;

/** Above this a native copy is faster than a loop over the characters (measured). */
const LOOP_MAX_BYTES = 48;

const first = makeScratch(PATH_MAX_BYTES);
const second = makeScratch(PATH_MAX_BYTES);
const third = makeScratch(PATH_MAX_BYTES);

/** Puts a path into fixed memory, NUL-terminated, and returns its address. Valid until the next. */
export function pathArgument(path: ByteString): number {
  return place(first, path);
}

/** As pathArgument, for the second path of a call. */
export function secondPathArgument(path: ByteString): number {
  return place(second, path);
}

/** As pathArgument, for a name that goes with a path (of an xattr, a file-system type). */
export function nameArgument(name: ByteString): number {
  return place(third, name);
}

function place(target: Scratch, path: ByteString): number {
  const { buffer } = target;
  const length = path.length;
  if (length <= LOOP_MAX_BYTES) {
    for (let i = 0; i < length; i++) {
      const byte = path.charCodeAt(i);
      if (byte === 0) throw new FsError(errno.EINVAL, "pass", textOf(path));
      buffer[i] = byte;
    }
  } else {
    // Cut short silently, a path would name another file.
    if (length >= PATH_MAX_BYTES) throw new FsError(errno.ENAMETOOLONG, "pass", textOf(path));
    if (path.includes("\0")) throw new FsError(errno.EINVAL, "pass", textOf(path));
    buffer.write(path, 0, length, "latin1");
  }
  buffer[length] = 0;
  return target.address;
}

/** Every buffer handed to the kernel goes through here: a wrong length would corrupt memory. */
export function assertRange(buffer: Uint8Array, start: number, length: number): void {
  assert(
    start >= 0 && length >= 0 && start + length <= buffer.byteLength,
    `bytes ${start}+${length} lie in a buffer of ${buffer.byteLength}`,
  );
}

/**
 * Where a caller's buffer lies, for structures that hold pointers; good as long as the buffer is
 * referenced. (Asking makes V8 move a small array off its moving heap, for good.)
 */
export function addressOf(buffer: Uint8Array): number {
  return Number(koffi.address(buffer));
}

/** Memory whose address is a multiple of `unitBytes`, as files need that are open with O_DIRECT. */
export function alignedBuffer(sizeBytes: number, unitBytes: number): Buffer {
  const memory = Buffer.from(new ArrayBuffer(sizeBytes + unitBytes));
  const skipBytes = (unitBytes - (addressOf(memory) % unitBytes)) % unitBytes;
  return memory.subarray(skipBytes, skipBytes + sizeBytes);
}

/** The bytes from `start` on, as an argument declared `void *`. */
export function bufferArgument(buffer: Uint8Array, start: number): Uint8Array {
  return start === 0 ? buffer : buffer.subarray(start);
}

/** Picks this machine's value: system call numbers and flags differ. Throws on other machines. */
export function perMachine<Value>(x64: Value, arm64: Value): Value {
  if (process.arch === "x64") return x64;
  if (process.arch === "arm64") return arm64;
  throw new EngineError("UNSUPPORTED", `Cannot run on "${process.arch}": only on x64 and arm64`);
}

/** "The current directory" in place of a directory descriptor: paths are absolute with it. */
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_NO_AUTOMOUNT = 0x800;
export const AT_EMPTY_PATH = 0x1000;
