// Bytes in and out of descriptors: read, write, seek, sizes, syncing, waiting.
// Buffers are passed as they are; every range is checked first, the kernel can't know our bounds.

import { errno } from "../errors.js";
import {
  addressOf,
  assertRange,
  bufferArgument,
  checked,
  failure,
  lastErrno,
  libc,
  makeScratch,
  uninterrupted,
} from "./libc.js";

type Transfer = (fd: number, buffer: Uint8Array, length: number) => number;
type PositionedTransfer = (
  fd: number,
  buffer: Uint8Array,
  length: number,
  position: number,
) => number;

const readNative: Transfer = libc.func("long read(int fd, void *buffer, size_t length)");
const writeNative: Transfer = libc.func("long write(int fd, void *buffer, size_t length)");
const preadNative: PositionedTransfer = libc.func(
  "long pread(int fd, void *buffer, size_t length, int64_t position)",
);
const pwriteNative: PositionedTransfer = libc.func(
  "long pwrite(int fd, void *buffer, size_t length, int64_t position)",
);
const lseekNative: (fd: number, offset: number, whence: number) => number = libc.func(
  "int64_t lseek(int fd, int64_t offset, int whence)",
);
const ftruncateNative: (fd: number, size: number) => number = libc.func(
  "int ftruncate(int fd, int64_t size)",
);
const fallocateNative: (fd: number, mode: number, offset: number, length: number) => number =
  libc.func("int fallocate(int fd, int mode, int64_t offset, int64_t length)");
const fsyncNative: (fd: number) => number = libc.func("int fsync(int fd)");
const fdatasyncNative: (fd: number) => number = libc.func("int fdatasync(int fd)");
const fadviseNative: (fd: number, offset: number, length: number, advice: number) => number =
  libc.func("int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)");
const syncfsNative = libc.func("int syncfs(int fd)");

/** pread(2) into buffer[start, start+length): bytes read, 0 at the end. Throws FsError. */
export function pread(
  fd: number,
  buffer: Uint8Array,
  start: number,
  length: number,
  position: number,
): number {
  assertRange(buffer, start, length);
  for (;;) {
    const count = preadNative(fd, bufferArgument(buffer, start), length, position);
    if (count >= 0) return count;
    if (lastErrno() !== errno.EINTR) throw failure("pread");
  }
}

/** pwrite(2) of buffer[start, start+length): bytes written, maybe fewer. Throws FsError. */
export function pwrite(
  fd: number,
  buffer: Uint8Array,
  start: number,
  length: number,
  position: number,
): number {
  assertRange(buffer, start, length);
  for (;;) {
    const count = pwriteNative(fd, bufferArgument(buffer, start), length, position);
    if (count >= 0) return count;
    if (lastErrno() !== errno.EINTR) throw failure("pwrite");
  }
}

/** As pread, repeated until the range is full or the file ends: bytes read. */
export function preadFull(
  fd: number,
  buffer: Uint8Array,
  start: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const count = pread(fd, buffer, start + done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** As pwrite, repeated until everything is written. Throws FsError (what came before stays). */
export function pwriteFull(
  fd: number,
  buffer: Uint8Array,
  start: number,
  length: number,
  position: number,
): void {
  let done = 0;
  while (done < length) {
    done += pwrite(fd, buffer, start + done, length - done, position + done);
  }
}

/** read(2) at the file's own offset: bytes read, 0 at the end. Throws FsError. */
export function read(fd: number, buffer: Uint8Array, start: number, length: number): number {
  assertRange(buffer, start, length);
  for (;;) {
    const count = readNative(fd, bufferArgument(buffer, start), length);
    if (count >= 0) return count;
    if (lastErrno() !== errno.EINTR) throw failure("read");
  }
}

/** write(2) at the file's own offset: bytes written, maybe fewer. Throws FsError. */
export function write(fd: number, buffer: Uint8Array, start: number, length: number): number {
  assertRange(buffer, start, length);
  for (;;) {
    const count = writeNative(fd, bufferArgument(buffer, start), length);
    if (count >= 0) return count;
    if (lastErrno() !== errno.EINTR) throw failure("write");
  }
}

/** Writes all of `bytes` where the file stands. Throws FsError. */
export function writeFull(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += write(fd, bytes, done, bytes.length - done);
}

/** One read(2) of at most the whole buffer: bytes read, or the negative errno (EINTR too). */
export function tryRead(fd: number, buffer: Uint8Array): number {
  const count = readNative(fd, buffer, buffer.byteLength);
  return count < 0 ? -lastErrno() : count;
}

/** One write(2) of buffer[0, length): bytes written, or the negative errno (EINTR too). */
export function tryWrite(fd: number, buffer: Uint8Array, length: number): number {
  assertRange(buffer, 0, length);
  const count = writeNative(fd, buffer, length);
  return count < 0 ? -lastErrno() : count;
}

const IOVEC_COUNT = 2;
const writevNative: (fd: number, vector: number, count: number) => number = libc.func(
  "long writev(int fd, uintptr_t vector, int count)",
);
const vector = makeScratch(16 * IOVEC_COUNT);
/** The buffers of the last call: their addresses are still true, and V8 can't free them meanwhile. */
const vectorBuffers: (Uint8Array | undefined)[] = [undefined, undefined];

/**
 * One writev(2) of a[0, aLength) and b[0, bLength): bytes written, or the negative errno. Cheapest
 * with the same two buffers each time; the last two are kept.
 */
export function tryWritev(
  fd: number,
  a: Uint8Array,
  aLength: number,
  b: Uint8Array,
  bLength: number,
): number {
  assertRange(a, 0, aLength);
  assertRange(b, 0, bLength);
  setVector(0, a, aLength);
  setVector(1, b, bLength);
  const count = writevNative(fd, vector.address, IOVEC_COUNT);
  return count < 0 ? -lastErrno() : count;
}

function setVector(index: number, buffer: Uint8Array, length: number): void {
  if (vectorBuffers[index] !== buffer) {
    vectorBuffers[index] = buffer;
    vector.view.setBigUint64(16 * index, BigInt(addressOf(buffer)), true);
  }
  vector.view.setUint32(16 * index + 8, length, true);
}

export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;
/** The next byte of data at or after the offset. */
export const SEEK_DATA = 3;
/** The next hole at or after the offset; the end of the file counts as one. */
export const SEEK_HOLE = 4;

/** lseek(2): the new offset. Throws FsError; ENXIO where SEEK_DATA finds nothing more. */
export function lseek(fd: number, offset: number, whence: number): number {
  return checked(lseekNative(fd, offset, whence), "lseek");
}

/** As lseek, but the negative errno instead of throwing. */
export function tryLseek(fd: number, offset: number, whence: number): number {
  const position = lseekNative(fd, offset, whence);
  return position < 0 ? -lastErrno() : position;
}

/** Makes the file exactly `sizeBytes` long. Throws FsError. */
export function ftruncate(fd: number, sizeBytes: number): void {
  checked(
    uninterrupted(() => ftruncateNative(fd, sizeBytes)),
    "ftruncate",
  );
}

export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;
export const FALLOC_FL_COLLAPSE_RANGE = 0x08;
export const FALLOC_FL_ZERO_RANGE = 0x10;
export const FALLOC_FL_INSERT_RANGE = 0x20;

/** fallocate(2), mode 0 or FALLOC_FL_*. Throws FsError (EOPNOTSUPP where it can't). */
export function fallocate(fd: number, mode: number, offset: number, length: number): void {
  checked(
    uninterrupted(() => fallocateNative(fd, mode, offset, length)),
    "fallocate",
  );
}

/** Content and metadata of one file to the disk. Throws FsError; then data may be lost for good. */
export function fsync(fd: number): void {
  checked(
    uninterrupted(() => fsyncNative(fd)),
    "fsync",
  );
}

/** As fsync, without times. */
export function fdatasync(fd: number): void {
  checked(
    uninterrupted(() => fdatasyncNative(fd)),
    "fdatasync",
  );
}

/** The whole file system that `fd` lies on to the disk. Throws FsError. */
export function syncfs(fd: number): void {
  checked(
    uninterrupted(() => syncfsNative(fd) as number),
    "syncfs",
  );
}

const SYNC_FILE_RANGE_WRITE = 2;
const syncFileRangeNative = libc.func(
  "int sync_file_range(int fd, int64_t offset, int64_t length, unsigned int flags)",
);

/**
 * Begins to write a range to the disk, on a thread of the event loop's own, and waits for nothing:
 * fsync has less to do then. Where that can't be done, nothing happens.
 */
export function beginWriteBack(fd: number, offset: number, length: number): void {
  syncFileRangeNative.async(fd, offset, length, SYNC_FILE_RANGE_WRITE, () => undefined);
}

/** SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE and _WAIT_AFTER. */
const SYNC_FILE_RANGE_ALL = 7;

/**
 * Writes to the disk what a file has in memory only, on a thread of the event loop's own. Unlike fdatasync, which some file
 * systems do with the file locked, it keeps nobody from writing meanwhile; and it promises nothing. Where that can't be
 * done, nothing happens.
 */
export async function writeOut(fd: number): Promise<void> {
  await new Promise<void>((done) => {
    syncFileRangeNative.async(fd, 0, 0, SYNC_FILE_RANGE_ALL, () => done());
  });
}

const POSIX_FADV_WILLNEED = 3;

/** Sends for the content from the disk and does not wait for it. Where that can't be done, nothing. */
export function willNeed(fd: number, offset: number, length: number): void {
  fadviseNative(fd, offset, length, POSIX_FADV_WILLNEED);
}

const POSIX_FADV_RANDOM = 1;

/** What this descriptor reads is read ahead by nobody but willNeed(). Where that can't be done, nothing happens. */
export function readNothingAhead(fd: number): void {
  fadviseNative(fd, 0, 0, POSIX_FADV_RANDOM);
}

/** As syncfs, on a thread of the event loop's own; `done` hears whether it went well. */
export function syncfsLater(fd: number, done: (ok: boolean) => void): void {
  syncfsNative.async(fd, (_error: unknown, result: unknown) => done(result === 0));
}

export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;

const POLL_MAX_FDS = 64;
const SIZEOF_POLLFD = 8;
const pollNative: (fds: number, count: number, timeoutMs: number) => number = libc.func(
  "int poll(uintptr_t fds, unsigned long count, int timeoutMs)",
);
const pollFds = makeScratch(POLL_MAX_FDS * SIZEOF_POLLFD);

/**
 * poll(2): waits at most `timeoutMs` (-1: for ever) for one of up to 64 descriptors and returns
 * the revents of each, in order; all 0 after a timeout or a signal. Throws FsError.
 */
export function poll(
  fds: readonly { readonly fd: number; readonly events: number }[],
  timeoutMs: number,
): number[] {
  assertRange(pollFds.buffer, 0, fds.length * SIZEOF_POLLFD);
  fds.forEach(({ fd, events }, index) => {
    pollFds.view.setInt32(SIZEOF_POLLFD * index, fd, true);
    pollFds.view.setInt16(SIZEOF_POLLFD * index + 4, events, true);
    pollFds.view.setInt16(SIZEOF_POLLFD * index + 6, 0, true);
  });
  const ready = pollNative(pollFds.address, fds.length, timeoutMs);
  if (ready < 0 && lastErrno() !== errno.EINTR) throw failure("poll");
  return fds.map((_, index) =>
    ready <= 0 ? 0 : pollFds.view.getInt16(SIZEOF_POLLFD * index + 6, true),
  );
}
