// One large file that is read from its beginning on, past the page cache: pieces that follow each
// other, of which the first is answered with while the disk brings the next. Whether that is wise
// is for direct-reads.ts.

import type { Buffer } from "node:buffer";
import type { LayerFile } from "../../layer/index.js";
import {
  type AsyncReads,
  addressOf,
  alignedBuffer,
  close,
  O_DIRECT,
  O_RDONLY,
  reopen,
} from "../../sys/index.js";
import { OUT_HEADER_BYTES } from "../wire/protocol.js";
import { writeHeader } from "../wire/reply.js";

/** As long as the kernel's READs. */
const PIECE_BYTES = 1 << 20;
/** On their way at once: enough for a fast disk, and little memory. */
export const PIECES = 4;
const PAGE_BYTES = 4096;

/** A part of the file in memory, or on its way there. */
export class Piece {
  /** A page, at whose end there is room for a reply's header, then the part. */
  readonly memory: Buffer = alignedBuffer(PAGE_BYTES + PIECE_BYTES, PAGE_BYTES);
  readonly #address = addressOf(this.memory) + PAGE_BYTES;
  position = 0;
  /** Bytes read, or a negative errno; undefined while it is on its way. */
  result: number | undefined = 0;

  /** Throws FsError. */
  send(reads: AsyncReads, number: number, fd: number, position: number): void {
    const memory = { address: this.#address, lengthBytes: PIECE_BYTES };
    reads.submit(number, fd, memory, position);
    this.position = position;
    this.result = undefined;
  }

  /** Where the file's byte is in `memory`, with room for a header before it. */
  offsetOf(position: number): number {
    return PAGE_BYTES + position - this.position;
  }

  /** Bytes from `position` on that are here. */
  bytesFrom(position: number): number {
    return Math.max(0, this.position + (this.result ?? 0) - position);
  }
}

/** The bytes of an answer: in `memory`, which has room for its header before them. */
export interface Found {
  readonly memory: Buffer;
  readonly offset: number;
}

/** The pieces of one file. They are the caller's, and none may be on its way at the beginning. */
export class DirectStream {
  readonly file: LayerFile & { readonly fd: number };
  readonly #fd: number;
  readonly #fileBytes: number;
  readonly #reads: AsyncReads;
  readonly #pieces: readonly Piece[];
  /** Numbers of pieces, in the order of the file. */
  readonly #queue: number[] = [];
  #next: number;
  /** What comes before it was answered with, and headers of replies lie on it. */
  #position: number;
  /** How long it waited for the disk. */
  waitedMs = 0;

  /** Throws FsError where the file can't be read past the page cache. */
  constructor(
    file: LayerFile & { readonly fd: number },
    range: { readonly position: number; readonly fileBytes: number },
    reads: AsyncReads,
    pieces: readonly Piece[],
  ) {
    this.file = file;
    this.#reads = reads;
    this.#pieces = pieces;
    this.#fileBytes = range.fileBytes;
    this.#next = range.position;
    this.#position = range.position;
    this.#fd = reopen(file.fd, O_RDONLY | O_DIRECT);
    try {
      for (const number of pieces.keys()) this.#sendNext(number);
    } catch (error) {
      close(this.#fd);
      throw error;
    }
  }

  #sendNext(number: number): void {
    if (this.#next >= this.#fileBytes) return;
    this.#pieces[number]?.send(this.#reads, number, this.#fd, this.#next);
    this.#queue.push(number);
    this.#next += PIECE_BYTES;
  }

  /** The first piece that has not been read to its end, when it is there. */
  #head(): Piece | undefined {
    const piece = this.#pieces[this.#queue[0] ?? -1];
    if (piece !== undefined && piece.result === undefined) {
      const start = performance.now();
      while (piece.result === undefined) settle(this.#reads, this.#pieces);
      this.waitedMs += performance.now() - start;
    }
    return piece;
  }

  /**
   * The bytes [position, position + length) where they lie, or copied to `into`, which has room
   * before them too; undefined where the stream does not have them all, or something else comes
   * next. Then call `goOn`.
   */
  find(position: number, length: number, into: Found): Found | undefined {
    if (position !== this.#position) return undefined;
    const piece = this.#head();
    if (piece === undefined) return undefined;
    const here = piece.bytesFrom(position);
    if (here >= length) return { memory: piece.memory, offset: piece.offsetOf(position) };
    if (here === 0 || (piece.result ?? 0) < PIECE_BYTES) return undefined;
    const start = piece.offsetOf(position);
    piece.memory.copy(into.memory, into.offset, start, start + here);
    this.goOn(position + here);
    const rest = this.#head();
    if (rest === undefined || rest.bytesFrom(position + here) < length - here) return undefined;
    const from = rest.offsetOf(position + here);
    rest.memory.copy(into.memory, into.offset + here, from, from + length - here);
    return into;
  }

  /** What lies before `position` is read: the pieces are used anew. Throws FsError. */
  goOn(position: number): void {
    this.#position = position;
    for (;;) {
      const number = this.#queue[0];
      if (number === undefined) return;
      const piece = this.#pieces[number];
      if (piece === undefined || piece.result === undefined) return;
      if (piece.position + PIECE_BYTES > position) return;
      this.#queue.shift();
      this.#sendNext(number);
    }
  }

  /** Pieces may be on their way still. */
  close(): void {
    close(this.#fd);
  }
}

/** Waits for one of the pieces. Throws FsError. */
export function settle(reads: AsyncReads, pieces: readonly Piece[]): void {
  const { number, result } = reads.wait();
  const piece = pieces[number];
  if (piece !== undefined) piece.result = result;
}

/** Puts a reply's header before the bytes of an answer. Returns the whole message. */
export function messageOf(
  { memory, offset }: Found,
  uniqueLow: number,
  uniqueHigh: number,
  lengthBytes: number,
): Buffer {
  const start = offset - OUT_HEADER_BYTES;
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  writeHeader(view, start, uniqueLow, uniqueHigh, 0, lengthBytes);
  return memory.subarray(start, offset + lengthBytes);
}
