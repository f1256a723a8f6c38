// Entries to bytes: ustar where an entry fits, else a pax header before it. The same entries give
// the same bytes, always: no host, user or process is written, and records are sorted.
// Which entries, in which order, is the caller's.

import { Buffer } from "node:buffer";
import { assert } from "../assert.js";
import type { ByteString } from "../path.js";
import type { TarEntry } from "./entry.js";
import { TarError } from "./errors.js";
import { BLOCK_BYTES, writeHeader } from "./header.js";
import { paddingOf } from "./member.js";
import { headersOf } from "./plan.js";

/** Bytes gathered before the sink gets them. */
const CHUNK_BYTES = 256 * 1024;

/** Takes chunks in order; a promise holds the writer back. A chunk is the sink's own to keep, unless it is lent. */
export type TarSink = (chunk: Uint8Array) => void | Promise<void>;

export interface TarWriterOptions {
  /**
   * The sink has a chunk only until its promise is settled: large archives need the same two chunks again and again, where
   * else all that memory is found, and collected by all processors at once.
   */
  readonly lendsChunks?: boolean;
}

/**
 * Writes one archive: for each member entry(), then write() until sizeBytes are there; end() last.
 * Await what is returned before the next call (undefined when nothing is to be awaited).
 */
export class TarWriter {
  readonly #sink: TarSink;
  readonly #lendsChunks: boolean;
  #buffer: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #used = 0;
  #offset = 0;
  #path: ByteString | undefined;
  #left = 0;
  #padding = 0;
  #ended = false;
  /** The chunk that the sink has still to take, while the next one is gathered. */
  #taken: void | Promise<void> = undefined;
  /** What was lent to the sink last. */
  #lent: Buffer | undefined;

  constructor(sink: TarSink, { lendsChunks = false }: TarWriterOptions = {}) {
    this.#sink = sink;
    this.#lendsChunks = lendsChunks;
  }

  /** Bytes of the archive so far. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Begins a member. A sparse entry is written dense, since not every reader of image layers knows
   * sparse files: its content is all of sizeBytes (denseContent makes it). Throws TarError for what
   * tar cannot hold, and when the member before lacks bytes.
   */
  entry(entry: TarEntry): void | Promise<void> {
    assert(!this.#ended, "an archive is not written after its end");
    this.#finishMember();
    const { pax, header } = headersOf(entry, this.#offset);
    this.#path = entry.path;
    this.#left = entry.sizeBytes;
    this.#padding = paddingOf(entry.sizeBytes);
    if (pax === undefined && this.#room() >= BLOCK_BYTES) {
      writeHeader(this.#buffer, this.#used, header);
      this.#used += BLOCK_BYTES;
      this.#offset += BLOCK_BYTES;
      return undefined;
    }
    const paxBytes =
      pax === undefined ? 0 : BLOCK_BYTES + pax.records.length + paddingOf(pax.records.length);
    const blocks = Buffer.alloc(paxBytes + BLOCK_BYTES);
    if (pax !== undefined) {
      writeHeader(blocks, 0, pax.header);
      pax.records.copy(blocks, BLOCK_BYTES);
    }
    writeHeader(blocks, paxBytes, header);
    return this.#put(blocks);
  }

  /** Adds content of the member begun last; the chunk may be reused once this has settled. */
  write(chunk: Uint8Array): void | Promise<void> {
    if (chunk.length > this.#left) {
      const state = `content exceeds its size by ${chunk.length - this.#left} bytes`;
      throw new TarError("write", this.#path ?? "archive", state, this.#offset);
    }
    this.#left -= chunk.length;
    return this.#put(chunk);
  }

  /** Ends the archive with two zero blocks and hands the rest to the sink. */
  async end(): Promise<void> {
    assert(!this.#ended, "an archive ends once");
    this.#finishMember();
    this.#ended = true;
    await this.#put(Buffer.alloc(2 * BLOCK_BYTES));
    if (this.#used > 0) await this.#flush();
    await this.#taken;
  }

  /** Pads the member before. Room for it is there: the buffer is flushed whenever it is full. */
  #finishMember(): void {
    if (this.#left > 0) {
      const state = `content ends ${this.#left} bytes before its size`;
      throw new TarError("write", this.#path ?? "archive", state, this.#offset);
    }
    // All else is written in whole blocks, so padding never crosses the end of the buffer.
    this.#buffer.fill(0, this.#used, this.#used + this.#padding);
    this.#used += this.#padding;
    this.#offset += this.#padding;
    this.#padding = 0;
  }

  #room(): number {
    return CHUNK_BYTES - this.#used;
  }

  #put(bytes: Uint8Array): void | Promise<void> {
    if (bytes.length < this.#room()) {
      this.#append(bytes);
      return undefined;
    }
    return this.#putAndFlush(bytes);
  }

  async #putAndFlush(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.#room());
      this.#append(part);
      at += part.length;
      if (this.#room() === 0) await this.#flush();
    }
  }

  #append(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
    this.#offset += bytes.length;
  }

  /** A sink that keeps what it gets has each chunk in a buffer of its own. */
  async #flush(): Promise<void> {
    const full = this.#buffer;
    const usedBytes = this.#used;
    await this.#taken;
    this.#buffer = this.#lent ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#used = 0;
    if (this.#lendsChunks) this.#lent = full;
    this.#taken = this.#sink(full.subarray(0, usedBytes));
    // Its failure is thrown to whoever brings the next chunk; until then it is not unheard of.
    this.#taken?.catch(() => undefined);
  }
}

/** A member to write: `content` is dense and has sizeBytes; left out for entries without bytes. */
export interface TarSource {
  readonly entry: TarEntry;
  readonly content?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** The archive of these members as a stream: the inverse of readTar for dense members. */
export async function* writeTar(
  members: AsyncIterable<TarSource> | Iterable<TarSource>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let ready: Uint8Array[] = [];
  const writer = new TarWriter((chunk) => {
    ready.push(chunk);
  });
  const taken = (): Uint8Array[] => {
    const chunks = ready;
    ready = [];
    return chunks;
  };
  for await (const { entry, content } of members) {
    await writer.entry(entry);
    for await (const chunk of content ?? []) {
      await writer.write(chunk);
      if (ready.length > 0) yield* taken();
    }
    if (ready.length > 0) yield* taken();
  }
  await writer.end();
  yield* taken();
}
