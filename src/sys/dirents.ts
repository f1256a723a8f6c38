// Whole directories by getdents64(2): names as bytes, inode numbers and types, without a stat each.

import type { Buffer } from "node:buffer";
import type { Name } from "../path.js";
import { failure, libc, makeScratch, perMachine } from "./libc.js";

export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;

/** One name in a directory. `type` is a DT_*; DT_UNKNOWN where the file system doesn't say. */
export interface Dirent {
  readonly name: Name;
  readonly ino: bigint;
  readonly type: number;
}

// glibc has a wrapper only since 2.30.
const SYS_GETDENTS64 = perMachine(217, 61);
const getdents64: (call: number, fd: number, buffer: number, size: number) => number = libc.func(
  "long syscall(long call, long fd, uintptr_t buffer, size_t size)",
);

const BUFFER_BYTES = 256 * 1024;
const dirents = makeScratch(BUFFER_BYTES);

/** struct linux_dirent64: ino 0, offset 8, record length 16, type 18, name 19. */
const RECLEN = 16;
const TYPE = 18;
const NAME = 19;
const DOT = ".".charCodeAt(0);

/**
 * All names but "." and ".." of a directory, in the file system's order, from where the
 * descriptor stands: open it freshly. Throws FsError.
 */
export function readDirents(fd: number): Dirent[] {
  const found: Dirent[] = [];
  for (;;) {
    const end = getdents64(SYS_GETDENTS64, fd, dirents.address, BUFFER_BYTES);
    if (end < 0) throw failure("getdents64");
    if (end === 0) return found;
    decodeInto(found, end);
  }
}

function decodeInto(found: Dirent[], end: number): void {
  const { buffer, view } = dirents;
  let at = 0;
  while (at < end) {
    const next = at + view.getUint16(at + RECLEN, true);
    // The record is padded to 8 bytes, so its NUL lies in the last 8; what follows it is garbage.
    let nul = Math.max(at + NAME, next - 8);
    while (buffer[nul] !== 0) nul++;
    if (!isDotOrDotDot(buffer, at + NAME, nul)) {
      found.push({
        // What the kernel shows in a directory is a name by construction.
        name: buffer.toString("latin1", at + NAME, nul) as Name,
        ino: view.getBigUint64(at, true),
        type: view.getUint8(at + TYPE),
      });
    }
    at = next;
  }
}

function isDotOrDotDot(buffer: Buffer, start: number, end: number): boolean {
  if (buffer[start] !== DOT || end - start > 2) return false;
  return end - start === 1 || buffer[start + 1] === DOT;
}
