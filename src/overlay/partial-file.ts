// A partial file, open: blocks of the upper's own and blocks of the lower file read as one. What is
// written goes to the upper in whole blocks; at the edges of a write they are completed from below.

import { errno, FsError } from "../errors.js";
import { seekOrEnd } from "../layer/file-extents.js";
import type { LayerFile, OwnBlocks } from "../layer/layer.js";
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  SEEK_DATA,
  SEEK_HOLE,
  type Stat,
} from "../sys/index.js";
import { writeBlocks } from "./write-blocks.js";

/** A write is made of pieces of this size: completed at both ends, a piece is one pwrite. */
const PIECE_BYTES = 1024 * 1024;
/** So much is written as zeros where a hole can't be recorded any more. */
const WRITTEN_ZEROS_BYTES = 1024 * 1024;

const EMPTY = Buffer.alloc(0);

/** What a partial file is made of. */
export interface PartialParts {
  /** The upper file; not opened with O_APPEND. */
  readonly own: LayerFile;
  readonly blocks: OwnBlocks;
  /** The lower file; opened when first needed. */
  readonly below: () => LayerFile;
  /** Writes go to the end. */
  readonly appends: boolean;
  /** UpperLayer.zeroBlocks for this file. */
  readonly zeroBlocks: (start: number, end: number) => boolean;
}

/** Both files as one. All methods throw FsError. */
export class PartialFile implements LayerFile {
  readonly #parts: PartialParts;
  #lower: LayerFile | undefined;

  constructor(parts: PartialParts) {
    this.#parts = parts;
  }

  /** There is none to hand out while some of the data lie elsewhere: holes would read as zeros. */
  get fd(): number | undefined {
    const { own, blocks } = this.#parts;
    return blocks.isComplete ? own.fd : undefined;
  }

  get #below(): LayerFile {
    this.#lower ??= this.#parts.below();
    return this.#lower;
  }

  read(into: Uint8Array, start: number, lengthBytes: number, position: number): number {
    const { own, blocks } = this.#parts;
    const end = position + lengthBytes;
    let at = position;
    while (at < end) {
      const runEnd = blocks.runEnd(at, end);
      // In a block that the limit lies in, what is behind it is the upper's zeros.
      const isBelow = !blocks.owns(at) && at < blocks.limitBytes;
      const stop = isBelow ? Math.min(runEnd, blocks.limitBytes) : runEnd;
      const into0 = start + at - position;
      if (isBelow) this.#readBelow(into, into0, stop - at, at);
      else if (own.read(into, into0, stop - at, at) < stop - at)
        return this.#shortRead(position, end);
      at = stop;
    }
    return lengthBytes;
  }

  #shortRead(position: number, end: number): number {
    return Math.max(0, Math.min(this.#parts.own.stat().sizeBytes, end) - position);
  }

  #readBelow(into: Uint8Array, start: number, lengthBytes: number, position: number): void {
    const count = this.#below.read(into, start, lengthBytes, position);
    into.fill(0, start + count, start + lengthBytes);
  }

  write(from: Uint8Array, start: number, lengthBytes: number, position: number): number {
    const { own, appends } = this.#parts;
    const first = appends ? own.stat().sizeBytes : position;
    if (first + lengthBytes > this.#parts.blocks.limitBytes) this.ownEnd(first + lengthBytes);
    let done = 0;
    while (done < lengthBytes) {
      const length = Math.min(lengthBytes - done, PIECE_BYTES);
      const count = this.#writePiece(from, start + done, length, first + done);
      done += count;
      if (count < length) break;
    }
    return done;
  }

  #writePiece(from: Uint8Array, start: number, lengthBytes: number, position: number): number {
    const { own, blocks } = this.#parts;
    const { blockBytes } = blocks;
    const end = position + lengthBytes;
    const first = roundDown(position, blockBytes);
    const last = Math.min(roundUp(end, blockBytes), blocks.limitBytes);
    const head = blocks.owns(position) ? EMPTY : this.#edge(first, position);
    const tail = blocks.owns(end - 1) ? EMPTY : this.#edge(end, last);
    if (head.length === 0 && tail.length === 0) {
      return writeBlocks(own, blocks, from, start, lengthBytes, position);
    }
    const data = from.subarray(start, start + lengthBytes);
    const piece = Buffer.concat([head, data, tail]);
    const count = writeBlocks(own, blocks, piece, 0, piece.length, position - head.length);
    return Math.max(0, Math.min(count - head.length, lengthBytes));
  }

  /** What a range of one block shows that is not own: behind the limit there are zeros. */
  #edge(start: number, end: number): Buffer {
    if (end <= start) return EMPTY;
    const edge = Buffer.alloc(end - start);
    const length = Math.min(end, this.#parts.blocks.limitBytes) - start;
    if (length > 0) this.#readBelow(edge, 0, length, start);
    return edge;
  }

  /**
   * Before the file ends at `sizeBytes`: where the file system zeroes the block of the end, the old
   * one when a file grows, it must not be the lower file's, which those zeros would hide.
   */
  ownEnd(sizeBytes: number): void {
    const { own, blocks } = this.#parts;
    const { blockBytes, limitBytes, zeroesEnds } = blocks;
    const end = Math.min(sizeBytes, limitBytes);
    if (!zeroesEnds || end % blockBytes === 0 || blocks.owns(end)) return;
    const first = roundDown(end, blockBytes);
    const piece = this.#edge(first, Math.min(first + blockBytes, limitBytes));
    const count = writeBlocks(own, blocks, piece, 0, piece.length, first);
    if (count < piece.length) throw new FsError(errno.ENOSPC, "write");
  }

  stat(): Stat {
    return this.#parts.own.stat();
  }

  truncate(sizeBytes: number): void {
    this.ownEnd(sizeBytes);
    this.#parts.own.truncate(sizeBytes);
  }

  /**
   * fallocate(2). Space for blocks of the lower file is not allocated but when they are written.
   * Throws FsError EOPNOTSUPP for what moves data, and for holes in too many places.
   */
  allocate(mode: number, position: number, lengthBytes: number): void {
    const { own, blocks } = this.#parts;
    const end = position + lengthBytes;
    const { limitBytes } = blocks;
    const above = Math.max(position, limitBytes);
    const kind = mode & ~FALLOC_FL_KEEP_SIZE;
    const zeroes = kind === FALLOC_FL_PUNCH_HOLE || kind === FALLOC_FL_ZERO_RANGE;
    if (kind !== 0 && !zeroes) throw new FsError(errno.EOPNOTSUPP, "fallocate");
    if (zeroes && position < limitBytes) this.#zero(position, Math.min(end, limitBytes));
    if (end <= above) return;
    this.ownEnd(end);
    own.allocate(mode, above, end - above);
  }

  /** Zeros below the limit: written at the edges, a hole between. */
  #zero(start: number, end: number): void {
    const { own, blocks, zeroBlocks } = this.#parts;
    const first = roundUp(start, blocks.blockBytes);
    const last =
      end >= blocks.limitBytes
        ? roundUp(end, blocks.blockBytes)
        : roundDown(end, blocks.blockBytes);
    if (first >= last) {
      this.#writeZeros(start, end);
      return;
    }
    if (!zeroBlocks(first, last)) {
      if (end - start > WRITTEN_ZEROS_BYTES) throw new FsError(errno.EOPNOTSUPP, "fallocate");
      this.#writeZeros(start, end);
      return;
    }
    // The last block may hold more than the limit.
    own.allocate(PUNCH, first, Math.min(last, Math.max(end, first)) - first);
    this.#writeZeros(start, first);
    if (last < end) this.#writeZeros(last, end);
  }

  #writeZeros(start: number, end: number): void {
    for (let at = start; at < end; ) {
      const length = Math.min(end - at, WRITTEN_ZEROS_BYTES);
      const count = this.#writePiece(Buffer.alloc(length), 0, length, at);
      if (count === 0) throw new FsError(errno.ENOSPC, "fallocate");
      at += count;
    }
  }

  seek(position: number, whence: number): number {
    const { own, blocks } = this.#parts;
    const { sizeBytes } = own.stat();
    if (position < 0 || position >= sizeBytes) throw new FsError(errno.ENXIO, "lseek");
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw new FsError(errno.EINVAL, "lseek");
    let at = position;
    while (at < sizeBytes) {
      const isBelow = !blocks.owns(at) && at < blocks.limitBytes;
      const runEnd = blocks.runEnd(at, sizeBytes);
      const stop = isBelow ? Math.min(runEnd, blocks.limitBytes) : runEnd;
      const found = seekOrEnd(isBelow ? this.#below : own, at, whence, stop);
      if (found < stop) return found;
      at = stop;
    }
    if (whence === SEEK_DATA) throw new FsError(errno.ENXIO, "lseek");
    return sizeBytes;
  }

  sync(dataOnly: boolean): void {
    this.#parts.own.sync(dataOnly);
  }

  close(): void {
    const lower = this.#lower;
    this.#lower = undefined;
    this.#parts.own.close();
    lower?.close();
  }
}

const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

function roundDown(position: number, unit: number): number {
  return Math.floor(position / unit) * unit;
}

function roundUp(position: number, unit: number): number {
  return Math.ceil(position / unit) * unit;
}
