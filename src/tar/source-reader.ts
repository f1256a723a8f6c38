// Pulls exact lengths out of a stream of chunks of any size, without copying where it can.
// Knows positions and truncation; what the bytes mean is reader.ts's.

import { Buffer } from "node:buffer";
import type { ByteString } from "../path.js";
import { TarError } from "./errors.js";

const EMPTY = Buffer.alloc(0);

/** A cursor over a stream. All views it hands out stay valid: chunks are never reused. */
export class SourceReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Buffer = EMPTY;
  #at = 0;
  #chunkOffset = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Position of the next byte in the stream. */
  get offset(): number {
    return this.#chunkOffset + this.#at;
  }

  /** The next `lengthBytes` when the chunk at hand holds them all; else undefined, nothing taken. */
  tryTake(lengthBytes: number): Buffer | undefined {
    const end = this.#at + lengthBytes;
    if (end > this.#chunk.length) return undefined;
    const view = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  /** The next `lengthBytes`; undefined when the stream ends exactly here. Throws when it ends within. */
  async take(lengthBytes: number): Promise<Buffer | undefined> {
    const whole = this.tryTake(lengthBytes);
    if (whole !== undefined) return whole;
    const parts: Buffer[] = [];
    let missing = lengthBytes;
    while (missing > 0) {
      if (this.#at === this.#chunk.length && !(await this.#advance())) {
        if (missing === lengthBytes) return undefined;
        throw this.truncated("archive" as ByteString, missing);
      }
      const part = this.#upTo(missing);
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts, lengthBytes);
  }

  /** At least one and at most `mostBytes` (> 0) bytes; undefined at the end of the stream. */
  async takeSome(mostBytes: number): Promise<Buffer | undefined> {
    if (this.#at === this.#chunk.length && !(await this.#advance())) return undefined;
    return this.#upTo(mostBytes);
  }

  /** Steps over bytes of the chunk at hand; returns how many are still to be skipped. */
  skipNow(lengthBytes: number): number {
    const step = Math.min(lengthBytes, this.#chunk.length - this.#at);
    this.#at += step;
    return lengthBytes - step;
  }

  /** Reads to the end, for sources that check themselves there (gzip trailers, digests). */
  async drain(): Promise<void> {
    do this.#at = this.#chunk.length;
    while (await this.#advance());
  }

  /** Lets go of the source, also when it was not read to its end. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  truncated(object: ByteString, missingBytes: number): TarError {
    return new TarError("read", object, `truncated, ${missingBytes} bytes missing`, this.offset);
  }

  #upTo(mostBytes: number): Buffer {
    const end = Math.min(this.#at + mostBytes, this.#chunk.length);
    const view = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  /** Makes the next chunk that is not empty the one at hand; false at the end. */
  async #advance(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#iterator.next();
      if (done) return false;
      if (value.length === 0) continue;
      this.#chunkOffset += this.#chunk.length;
      this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      this.#at = 0;
      return true;
    }
  }
}
