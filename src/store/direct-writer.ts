// The rest of a large blob, written past the page cache: what was just made is not read again soon,
// and finding room for it in memory takes longer than all else that is done with it (native-notes/direct-writes.md).
// Pieces are copied into memory that the disk can be given, two of them: one fills up while the other is written.

import { type FileHandle, open } from "node:fs/promises";
import { hasCode } from "../node-errors.js";
import { alignedBuffer, BTRFS_SUPER_MAGIC, O_DIRECT, O_WRONLY, statfsFd } from "../sys/index.js";

const PIECE_BYTES = 1 << 20;
/**
 * On btrfs, which copies them, for its checksums (Linux 6.15): 2 to 5 ms a MiB on some machines, during which the processor is
 * not given away.
 */
const COPIED_PIECE_BYTES = 256 << 10;
/** Of memory, offsets and lengths: every disk's blocks divide it. */
export const DIRECT_UNIT_BYTES = 4096;

/** Appends to a file from an offset on. Awaits are in order; then end() or abort(). */
export class DirectWriter {
  readonly #direct: FileHandle;
  /** The same file, by way of the page cache: for the last piece, and where the file system can't do otherwise. */
  readonly #cached: FileHandle;
  /** Where the piece begins that is being filled. */
  #offset: number;
  #piece: Uint8Array;
  #usedBytes = 0;
  /** The other one: free once this is settled. */
  #other: Uint8Array;
  #writing: Promise<void> | undefined;
  #isRefused = false;

  private constructor(direct: FileHandle, cached: FileHandle, offset: number) {
    this.#direct = direct;
    this.#cached = cached;
    this.#offset = offset;
    const pieceBytes =
      statfsFd(cached.fd).type === BTRFS_SUPER_MAGIC ? COPIED_PIECE_BYTES : PIECE_BYTES;
    this.#piece = alignedBuffer(pieceBytes, DIRECT_UNIT_BYTES);
    this.#other = alignedBuffer(pieceBytes, DIRECT_UNIT_BYTES);
  }

  /** `offset` is a multiple of DIRECT_UNIT_BYTES. Undefined where files can't be written so. Throws node's errors. */
  static async open(
    path: string,
    cached: FileHandle,
    offset: number,
  ): Promise<DirectWriter | undefined> {
    try {
      return new DirectWriter(await open(path, O_WRONLY | O_DIRECT), cached, offset);
    } catch (error) {
      if (hasCode(error, "EINVAL", "EOPNOTSUPP")) return undefined;
      throw error;
    }
  }

  /** The chunk is the caller's again when this returns. Throws node's errors, also of chunks that came before. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + this.#piece.byteLength - this.#usedBytes);
      this.#piece.set(part, this.#usedBytes);
      this.#usedBytes += part.byteLength;
      at += part.byteLength;
      if (this.#usedBytes === this.#piece.byteLength) await this.#beginPiece();
    }
  }

  async #beginPiece(): Promise<void> {
    await this.#writing;
    const full = this.#piece;
    this.#writing = this.#writePiece(full, this.#offset);
    // Its failure is thrown to whoever brings the next chunk; until then it is not unheard of.
    this.#writing.catch(() => undefined);
    this.#piece = this.#other;
    this.#other = full;
    this.#offset += full.byteLength;
    this.#usedBytes = 0;
  }

  async #writePiece(piece: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < piece.byteLength; ) {
      const handle = this.#isRefused ? this.#cached : this.#direct;
      const left = piece.byteLength - done;
      try {
        done += (await handle.write(piece, done, left, offset + done)).bytesWritten;
      } catch (error) {
        // Some file systems, and some disks with larger units, refuse at the first write only.
        if (this.#isRefused || !hasCode(error, "EINVAL")) throw error;
        this.#isRefused = true;
      }
    }
  }

  /** All bytes are the file's when this returns. */
  async end(): Promise<void> {
    await this.#writing;
    this.#isRefused = true;
    await this.#writePiece(this.#piece.subarray(0, this.#usedBytes), this.#offset);
    await this.abort();
  }

  /** Ends without the rest; harmless after end(). */
  async abort(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    this.#writing = undefined;
    await this.#direct.close();
  }
}
