// The bytes of one file in memory: a map of blocks, where an absent block is a hole.
// Chosen for being obviously right, not for speed; it is the model other kinds are compared with.

import { errno, FsError } from "../errors.js";
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  SEEK_DATA,
  SEEK_HOLE,
} from "../sys/index.js";

/** Holes begin and end at multiples of this many bytes, as on a common disk. */
export const BLOCK_BYTES = 4096;

/** A sparse file's content. Positions and lengths are in bytes. */
export class MemoryContent {
  readonly #blocks = new Map<number, Uint8Array>();
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get allocatedBytes(): number {
    return this.#blocks.size * BLOCK_BYTES;
  }

  /** Becomes a copy of another content; they share nothing. */
  copyOf(other: MemoryContent): void {
    this.#blocks.clear();
    for (const [index, block] of other.#blocks) this.#blocks.set(index, block.slice());
    this.#sizeBytes = other.#sizeBytes;
  }

  read(into: Uint8Array, start: number, lengthBytes: number, position: number): number {
    const end = Math.min(position + lengthBytes, this.#sizeBytes);
    let at = position;
    while (at < end) {
      const inBlock = at % BLOCK_BYTES;
      const piece = Math.min(BLOCK_BYTES - inBlock, end - at);
      const block = this.#blocks.get(Math.floor(at / BLOCK_BYTES));
      const target = into.subarray(start + at - position, start + at - position + piece);
      if (block === undefined) target.fill(0);
      else target.set(block.subarray(inBlock, inBlock + piece));
      at += piece;
    }
    return Math.max(0, at - position);
  }

  write(from: Uint8Array, start: number, lengthBytes: number, position: number): number {
    const end = position + lengthBytes;
    let at = position;
    while (at < end) {
      const inBlock = at % BLOCK_BYTES;
      const piece = Math.min(BLOCK_BYTES - inBlock, end - at);
      const source = start + at - position;
      this.#block(Math.floor(at / BLOCK_BYTES)).set(from.subarray(source, source + piece), inBlock);
      at += piece;
    }
    if (lengthBytes > 0) this.#sizeBytes = Math.max(this.#sizeBytes, end);
    return lengthBytes;
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) this.#zero(sizeBytes, Number.MAX_SAFE_INTEGER);
    this.#sizeBytes = sizeBytes;
  }

  /** fallocate(2): allocate, keep size, punch hole, zero range; all else is EOPNOTSUPP. */
  allocate(mode: number, position: number, lengthBytes: number): void {
    const keepSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
    const action = mode & ~FALLOC_FL_KEEP_SIZE;
    if (position < 0 || lengthBytes <= 0) throw new FsError(errno.EINVAL, "fallocate");
    const end = position + lengthBytes;
    if (action === FALLOC_FL_PUNCH_HOLE && keepSize) this.#zero(position, end);
    else if (action === FALLOC_FL_ZERO_RANGE || action === 0) {
      if (action === FALLOC_FL_ZERO_RANGE) this.#zero(position, end);
      const first = Math.floor(position / BLOCK_BYTES);
      for (let index = first; index * BLOCK_BYTES < end; index++) this.#block(index);
      if (!keepSize) this.#sizeBytes = Math.max(this.#sizeBytes, end);
    } else throw new FsError(errno.EOPNOTSUPP, "fallocate");
  }

  /** lseek(2) SEEK_DATA (3) and SEEK_HOLE (4). Throws FsError ENXIO where there is none. */
  seek(position: number, whence: number): number {
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw new FsError(errno.EINVAL, "lseek");
    if (position < 0 || position >= this.#sizeBytes) throw new FsError(errno.ENXIO, "lseek");
    let at = position;
    while (at < this.#sizeBytes) {
      if (this.#blocks.has(Math.floor(at / BLOCK_BYTES)) === (whence === SEEK_DATA)) return at;
      at = (Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES;
    }
    if (whence === SEEK_DATA) throw new FsError(errno.ENXIO, "lseek");
    return this.#sizeBytes;
  }

  #block(index: number): Uint8Array {
    let block = this.#blocks.get(index);
    if (block === undefined) {
      block = new Uint8Array(BLOCK_BYTES);
      this.#blocks.set(index, block);
    }
    return block;
  }

  /** Zeroes [from, to): whole blocks become holes. */
  #zero(from: number, to: number): void {
    for (const [index, block] of this.#blocks) {
      const begin = Math.max(from - index * BLOCK_BYTES, 0);
      const end = Math.min(to - index * BLOCK_BYTES, BLOCK_BYTES);
      if (begin === 0 && end === BLOCK_BYTES) this.#blocks.delete(index);
      else if (begin < end) block.fill(0, begin, end);
    }
  }
}
