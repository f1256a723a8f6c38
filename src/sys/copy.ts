// Moving file content inside the kernel: reflink, copy_file_range, and a loop for where neither
// works. Holes stay holes. Content only: metadata is the caller's.

import { Buffer } from "node:buffer";
import { errno } from "../errors.js";
import { ftruncate, preadFull, pwriteFull, SEEK_DATA, SEEK_HOLE, tryLseek } from "./io.js";
import { ioctlWithNumber } from "./ioctl.js";
import { failure, lastErrno, libc, makeScratch } from "./libc.js";

/** _IOW(0x94, 9, int), linux/fs.h. */
const FICLONE = 0x40049409;

const copyFileRangeNative: (
  srcFd: number,
  srcOffset: number,
  dstFd: number,
  dstOffset: number,
  length: number,
  flags: number,
) => number = libc.func(
  "long copy_file_range(int srcFd, uintptr_t srcOffset, int dstFd, uintptr_t dstOffset, size_t length, unsigned int flags)",
);

const NO_CLONE: readonly number[] = [
  errno.EOPNOTSUPP,
  errno.EXDEV,
  errno.EINVAL,
  errno.ENOTTY,
  errno.ETXTBSY,
  errno.ENOSYS,
];

/**
 * Makes the whole content of `dstFd` share the blocks of `srcFd`: O(1). False where the file
 * systems can't. Throws FsError. Source: ioctl_ficlone(2).
 */
export function ficlone(dstFd: number, srcFd: number): boolean {
  if (ioctlWithNumber(dstFd, FICLONE, srcFd) >= 0) return true;
  if (NO_CLONE.includes(lastErrno())) return false;
  throw failure("ficlone");
}

const offsets = makeScratch(16);

/** copy_file_range(2): bytes copied, maybe fewer, 0 at the end of the source. Throws FsError. */
export function copyFileRange(
  srcFd: number,
  srcOffset: number,
  dstFd: number,
  dstOffset: number,
  length: number,
): number {
  const count = tryCopyFileRange(srcFd, srcOffset, dstFd, dstOffset, length);
  if (count < 0) throw failure("copy_file_range");
  return count;
}

function tryCopyFileRange(
  srcFd: number,
  srcOffset: number,
  dstFd: number,
  dstOffset: number,
  length: number,
): number {
  for (;;) {
    offsets.view.setBigInt64(0, BigInt(srcOffset), true);
    offsets.view.setBigInt64(8, BigInt(dstOffset), true);
    const { address } = offsets;
    const count = copyFileRangeNative(srcFd, address, dstFd, address + 8, length, 0);
    if (count >= 0 || lastErrno() !== errno.EINTR) return count;
  }
}

/**
 * Copies the first `sizeBytes` of `srcFd` into the empty file `dstFd`, whose size they become; a
 * shorter source leaves a hole at the end. File offsets of `srcFd` move. Throws FsError.
 */
export function copyData(srcFd: number, dstFd: number, sizeBytes: number): void {
  if (sizeBytes > 0 && ficlone(dstFd, srcFd)) {
    ftruncate(dstFd, sizeBytes);
    return;
  }
  ftruncate(dstFd, sizeBytes);
  let start = nextData(srcFd, 0, sizeBytes);
  while (start < sizeBytes) {
    const end = nextHole(srcFd, start, sizeBytes);
    copyExtent(srcFd, dstFd, start, end);
    start = nextData(srcFd, end, sizeBytes);
  }
}

/** The first byte of data at or after `offset`; `sizeBytes` when there is none before it. */
function nextData(fd: number, offset: number, sizeBytes: number): number {
  if (offset >= sizeBytes) return sizeBytes;
  const found = tryLseek(fd, offset, SEEK_DATA);
  if (found >= 0) return found;
  if (found === -errno.ENXIO) return sizeBytes;
  // A file system that knows no holes (EINVAL): all is data.
  if (found === -errno.EINVAL || found === -errno.EOPNOTSUPP) return offset;
  throw failure("lseek");
}

function nextHole(fd: number, offset: number, sizeBytes: number): number {
  const found = tryLseek(fd, offset, SEEK_HOLE);
  return found < 0 ? sizeBytes : Math.min(found, sizeBytes);
}

/** Below the kernel's MAX_RW_COUNT, so that a short count means something. */
const RANGE_MAX_BYTES = 0x4000_0000;

const NO_RANGE: readonly number[] = [
  errno.EXDEV,
  errno.EINVAL,
  errno.EOPNOTSUPP,
  errno.ENOSYS,
  errno.EPERM,
  errno.EBADF,
];

function copyExtent(srcFd: number, dstFd: number, start: number, end: number): void {
  let at = start;
  while (at < end) {
    const count = tryCopyFileRange(srcFd, at, dstFd, at, Math.min(end - at, RANGE_MAX_BYTES));
    if (count < 0 && !NO_RANGE.includes(lastErrno())) throw failure("copy_file_range");
    if (count === 0) return; // the source is shorter than its caller thought
    if (count < 0) {
      copyThroughMemory(srcFd, dstFd, at, end);
      return;
    }
    at += count;
  }
}

const CHUNK_BYTES = 1024 * 1024;
let chunk: Buffer | undefined;

function copyThroughMemory(srcFd: number, dstFd: number, start: number, end: number): void {
  chunk ??= Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let at = start;
  while (at < end) {
    const count = preadFull(srcFd, chunk, 0, Math.min(end - at, CHUNK_BYTES), at);
    if (count === 0) return;
    pwriteFull(dstFd, chunk, 0, count, at);
    at += count;
  }
}
