// Which READs are answered past the page cache: those of somebody who reads a large file of a lower
// layer from one end to the other. The mount has a page cache of its own, so the layer's pages would
// be a second copy of everything, and touching that memory costs more than all else (native-notes).

import { isFsError } from "../../errors.js";
import type { LayerFile } from "../../layer/index.js";
import { AsyncReads, cachedBytes } from "../../sys/index.js";
import { DirectStream, type Found, PIECES, Piece, settle } from "./direct-stream.js";
import type { OpenFile } from "./open-files.js";

/** Smaller files stay in the page cache, for the next container. */
export const MIN_DIRECT_FILE_BYTES = 64 << 20;
/** More than a page of a mapping brings along: who reads so much in order means to. */
const MIN_READ_BYTES = 8 << 20;
/** O_DIRECT begins at whole blocks of the disk; who reads so through the mount may begin anywhere. */
const PAGE_BYTES = 4096;
/** So far ahead is looked whether the file is in memory, and again after so much. */
const LOOK_BYTES = 32 << 20;
/**
 * From a disk that gives less, pages are worth keeping: another mount would wait for it again. Judged after
 * JUDGED_BYTES, for a while.
 */
const MIN_DISK_BYTES_PER_MS = 1_000_000;
const JUDGED_BYTES = 32 << 20;
const SLOW_DISK_MS = 60_000;
/** So many READs of others, and who has the stream but reads no more has had his turn. */
const MAX_OTHER_READS = 64;

/** A READ's bytes, all of them within the file. */
export interface ReadRange {
  readonly position: number;
  readonly length: number;
  readonly fileBytes: number;
}

/** How somebody reads a file. */
interface Order {
  /** Where the next READ begins, if they come in order, and how much did so. */
  end: number;
  bytes: number;
  /** Before this a stream is not thought of (again). */
  lookAt: number;
}

type FileWithDescriptor = LayerFile & { readonly fd: number };

function hasDescriptor(file: LayerFile): file is FileWithDescriptor {
  return file.fd !== undefined;
}

/** True where most of what comes next is in the page cache, or nobody tells. */
function isCached(file: FileWithDescriptor, position: number, fileBytes: number): boolean {
  const length = Math.min(LOOK_BYTES, fileBytes - position);
  const cached = cachedBytes(file.fd, position, length);
  return cached === undefined || cached > length / 2;
}

/** One stream at a time, so that it costs four MiB. */
export class DirectReads {
  #reads: AsyncReads | undefined;
  #pieces: readonly Piece[] = [];
  #stream: DirectStream | undefined;
  #owner: OpenFile | undefined;
  #startedAt = 0;
  #otherReads = 0;
  /** The file system or this process can't. */
  #isOff = false;
  #slowUntilMs = 0;
  readonly #orders = new WeakMap<OpenFile, Order>();

  /**
   * The bytes of a READ, if there is a stream that has them, or one is worth beginning: where they
   * lie, or in `room`. Call `goOn` when they are sent. undefined: to be read in the usual way.
   */
  find(open: OpenFile, file: LayerFile, range: ReadRange, room: Found): Found | undefined {
    const { position, length, fileBytes } = range;
    if (this.#isOff || fileBytes < MIN_DIRECT_FILE_BYTES || !hasDescriptor(file)) return undefined;
    const order = this.#note(open, position, length);
    if (this.#owner !== open && !this.#begin(open, file, range, order)) return undefined;
    // A file that was copied up meanwhile is another one.
    const stream = this.#stream?.file === file ? this.#stream : undefined;
    const found = stream?.find(position, length, room);
    if (found !== undefined) return found;
    this.#end();
    order.lookAt = position + MIN_READ_BYTES;
    return undefined;
  }

  #note(open: OpenFile, position: number, length: number): Order {
    let order = this.#orders.get(open);
    if (order === undefined) {
      order = { end: position, bytes: 0, lookAt: 0 };
      this.#orders.set(open, order);
    }
    if (order.end !== position) {
      order.bytes = 0;
      order.lookAt = 0;
    }
    order.end = position + length;
    order.bytes += length;
    return order;
  }

  #begin(
    open: OpenFile,
    file: FileWithDescriptor,
    { position, fileBytes }: ReadRange,
    order: Order,
  ): boolean {
    if (order.bytes < MIN_READ_BYTES || position < order.lookAt) return false;
    if (performance.now() < this.#slowUntilMs) return false;
    if (position % PAGE_BYTES !== 0 || fileBytes - position < MIN_READ_BYTES) return false;
    if (this.#owner !== undefined && ++this.#otherReads < MAX_OTHER_READS) return false;
    order.lookAt = position + LOOK_BYTES;
    if (isCached(file, position, fileBytes)) return false;
    this.#end();
    return this.#start(open, file, position, fileBytes);
  }

  /** False, for good, where the file system or this process can't. */
  #start(open: OpenFile, file: FileWithDescriptor, position: number, fileBytes: number): boolean {
    try {
      this.#reads ??= new AsyncReads(PIECES);
      if (this.#pieces.length === 0) {
        this.#pieces = Array.from({ length: PIECES }, () => new Piece());
      }
      this.#settleAll(this.#reads);
      this.#stream = new DirectStream(file, { position, fileBytes }, this.#reads, this.#pieces);
    } catch (error) {
      if (!isFsError(error)) throw error;
      this.#isOff = true;
      return false;
    }
    this.#owner = open;
    this.#startedAt = position;
    this.#otherReads = 0;
    return true;
  }

  /** What the last stream sent for comes into memory that the next one wants. */
  #settleAll(reads: AsyncReads): void {
    while (this.#pieces.some((piece) => piece.result === undefined)) settle(reads, this.#pieces);
  }

  /** All before `position` was sent: more is sent for, while that is the better way. */
  goOn(open: OpenFile, position: number, fileBytes: number): void {
    const stream = this.#stream;
    if (stream === undefined || this.#owner !== open) return;
    this.#otherReads = 0;
    const order = this.#note(open, position, 0);
    const read = position - this.#startedAt;
    const isSlow = read >= JUDGED_BYTES && stream.waitedMs * MIN_DISK_BYTES_PER_MS > read;
    if (isSlow) this.#slowUntilMs = performance.now() + SLOW_DISK_MS;
    const looks = position >= order.lookAt;
    if (looks) order.lookAt = position + LOOK_BYTES;
    if (isSlow || position >= fileBytes || (looks && isCached(stream.file, position, fileBytes))) {
      this.#end();
      return;
    }
    try {
      stream.goOn(position);
    } catch (error) {
      if (!isFsError(error)) throw error;
      this.#end();
    }
  }

  /** The file is closed. */
  forget(open: OpenFile): void {
    if (this.#owner === open) this.#end();
  }

  #end(): void {
    this.#stream?.close();
    this.#stream = undefined;
    this.#owner = undefined;
  }

  /** Returns when no memory is written to any more. */
  close(): void {
    this.#end();
    this.#isOff = true;
    this.#reads?.close();
    this.#reads = undefined;
  }
}
