// One blob on its way in: a file in tmp/ that is handed on once its bytes are all there and checked.
// Whatever goes wrong before that leaves nothing. How it becomes durable is the business of who keeps it.

import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { assert } from "../assert.js";
import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { asFsError } from "../node-errors.js";
import { beginWriteBack } from "../sys/index.js";
import { DIRECT_UNIT_BYTES, DirectWriter } from "./direct-writer.js";
import type { HeldLock } from "./lock-file.js";
import { scratchPath } from "./scratch-name.js";

/** The disk begins with pieces of this size, while the rest is still to come. */
const WRITE_BACK_BYTES = 16 << 20;
/** Each write is a journey to another thread and back: small chunks go together. */
const GATHERED_BYTES = 1 << 20;
/** What is behind these is written past the page cache, of blobs that are made here. */
const CACHED_BYTES = 32 << 20;

/** What the sender says of a blob; what is absent is not checked. */
export interface BlobExpectation {
  readonly digest?: Digest;
  readonly sizeBytes?: number;
}

/** How a blob is written. */
export interface WriterOptions {
  /**
   * "given": the caller makes and hashes the very bytes it writes, and passes their digest to commit(), so
   * that they are hashed once only. "computed" is the default.
   */
  readonly digest?: "computed" | "given";
  /** "lent": the caller uses a chunk again as soon as write() has returned. "kept" is the default. */
  readonly chunks?: "kept" | "lent";
}

/** Takes over a whole blob: its file in tmp/, open, and its digest. The file is its own from then on. */
export type KeepBlob = (aside: string, digest: Digest, handle: FileHandle) => Promise<void>;

/** Writes go in order; then commit() or abort(), of which the first call counts. */
export class BlobWriter implements AsyncDisposable {
  readonly #aside: string;
  readonly #lock: HeldLock;
  readonly #hash: Hash | undefined;
  readonly #keep: KeepBlob;
  readonly #isLent: boolean;
  #handle: FileHandle | undefined;
  #sizeBytes = 0;
  /** So much is on its way to the disk already. */
  #begunBytes = 0;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  /** The chunks that are being written, while the next ones are gathered. */
  #writing: Promise<void> | undefined;
  /** Writes from some offset on; false where nothing does. */
  #direct: DirectWriter | false | undefined;
  #isKept = false;

  private constructor(
    aside: string,
    lock: HeldLock,
    handle: FileHandle,
    hash: Hash | undefined,
    { keep, isLent }: { readonly keep: KeepBlob; readonly isLent: boolean },
  ) {
    this.#aside = aside;
    this.#lock = lock;
    this.#handle = handle;
    this.#hash = hash;
    // What comes from elsewhere is unpacked next.
    this.#direct = hash === undefined ? undefined : false;
    this.#keep = keep;
    this.#isLent = isLent;
  }

  /** For BlobStore.writer(): takes over `lock`. */
  static async open(
    tmp: string,
    lock: HeldLock,
    keep: KeepBlob,
    options: WriterOptions,
  ): Promise<BlobWriter> {
    const aside = scratchPath(tmp, "blob");
    const hash = options.digest === "given" ? undefined : createHash("sha256");
    try {
      const handle = await open(aside, "wx", 0o644);
      const isLent = options.chunks === "lent";
      return new BlobWriter(aside, lock, handle, hash, { keep, isLent });
    } catch (error) {
      throw asFsError(error, "create", aside);
    }
  }

  /** Bytes written so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Appends; the chunk is kept for a while and must not be changed, unless chunks are lent. Throws FsError (ENOSPC …), also
   * for chunks that came before.
   */
  async write(chunk: Uint8Array): Promise<void> {
    assert(this.#handle !== undefined, "a blob is written before it is committed");
    if (this.#mayGoDirect) await this.#goDirect(this.#handle);
    const direct = this.#direct;
    if (direct) {
      this.#sizeBytes += chunk.byteLength;
      await this.#told("write", direct.write(chunk));
      return;
    }
    this.#gathered.push(this.#isLent ? Buffer.from(chunk) : chunk);
    this.#gatheredBytes += chunk.byteLength;
    this.#sizeBytes += chunk.byteLength;
    const full = this.#gatheredBytes >= GATHERED_BYTES;
    // Written by another thread, while this one hashes and gathers.
    if (full) await this.#beginWriting(this.#handle);
    this.#hash?.update(chunk);
  }

  /** The first bytes are written: what comes now goes to the disk itself, if it can. */
  async #goDirect(handle: FileHandle): Promise<void> {
    await this.#beginWriting(handle);
    await this.#writing;
    const opening = DirectWriter.open(this.#aside, handle, this.#sizeBytes);
    this.#direct = (await this.#told("open", opening)) ?? false;
  }

  get #mayGoDirect(): boolean {
    const isLarge = this.#sizeBytes >= CACHED_BYTES && this.#sizeBytes % DIRECT_UNIT_BYTES === 0;
    return this.#direct === undefined && isLarge;
  }

  /** With an error that says which file. */
  async #told<T>(operation: string, work: Promise<T>): Promise<T> {
    return await work.catch((error: unknown) => {
      throw asFsError(error, operation, this.#aside);
    });
  }

  /** Returns when what was begun before is written. */
  async #beginWriting(handle: FileHandle): Promise<void> {
    await this.#writing;
    if (this.#gathered.length === 0) return;
    const [chunks, atBytes] = [this.#gathered, this.#sizeBytes - this.#gatheredBytes];
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#writing = this.#writeAll(handle, chunks, atBytes);
    // Its failure is thrown to whoever brings the next chunk; until then it is not unheard of.
    this.#writing.catch(() => undefined);
  }

  async #writeAll(
    handle: FileHandle,
    chunks: readonly Uint8Array[],
    atBytes: number,
  ): Promise<void> {
    let endBytes = atBytes;
    try {
      for (let left = chunks; left.length > 0; ) {
        const { bytesWritten } = await handle.writev([...left], endBytes);
        endBytes += bytesWritten;
        left = without(left, bytesWritten);
      }
    } catch (error) {
      throw asFsError(error, "write", this.#aside);
    }
    if (endBytes - this.#begunBytes < WRITE_BACK_BYTES) return;
    beginWriteBack(handle.fd, this.#begunBytes, endBytes - this.#begunBytes);
    this.#begunBytes = endBytes;
  }

  /** Throws DATA_LOSS as soon as more came than was said, so that no sender can fill the disk. */
  refuseBeyond(expected: BlobExpectation): void {
    if (expected.sizeBytes !== undefined && this.#sizeBytes > expected.sizeBytes) {
      throw mismatch(expected, `it has more than ${expected.sizeBytes} bytes`);
    }
  }

  /**
   * The blob is what it was made for (BlobStore: in the store, durably) when this returns. Throws EngineError DATA_LOSS
   * when it is not as expected. With digest "given", `expected.digest` is taken on trust.
   */
  async commit(
    expected: BlobExpectation = {},
  ): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
    const handle = this.#handle;
    assert(handle !== undefined, "a blob is committed once");
    try {
      await this.#beginWriting(handle);
      const digest = this.#check(expected);
      await this.#writing;
      if (this.#direct) await this.#direct.end();
      await this.#keep(this.#aside, digest, handle);
      this.#isKept = true;
      return { digest, sizeBytes: this.#sizeBytes };
    } catch (error) {
      throw asFsError(error, "store", this.#aside);
    } finally {
      await this.abort();
    }
  }

  /** Forgets what was written; harmless after commit(). */
  async abort(): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) return;
    this.#handle = undefined;
    try {
      await this.#writing?.catch(() => undefined);
      if (this.#direct) await this.#direct.abort();
      await handle.close();
      if (!this.#isKept) await rm(this.#aside, { force: true });
    } finally {
      await this.#lock.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  #check(expected: BlobExpectation): Digest {
    if (expected.sizeBytes !== undefined && expected.sizeBytes !== this.#sizeBytes) {
      throw mismatch(expected, `it has ${this.#sizeBytes} bytes instead of ${expected.sizeBytes}`);
    }
    if (this.#hash === undefined) {
      assert(expected.digest !== undefined, "a digest that is not computed is given");
      return expected.digest;
    }
    const digest = `sha256:${this.#hash.digest("hex")}` as Digest;
    if (expected.digest !== undefined && expected.digest !== digest) {
      throw mismatch(expected, `its bytes have the digest ${digest}`);
    }
    return digest;
  }
}

/** What is left of the chunks behind their first `doneBytes`. */
function without(chunks: readonly Uint8Array[], doneBytes: number): Uint8Array[] {
  let skipBytes = doneBytes;
  return chunks.flatMap((chunk) => {
    const skipped = Math.min(skipBytes, chunk.byteLength);
    skipBytes -= skipped;
    return skipped === chunk.byteLength ? [] : [chunk.subarray(skipped)];
  });
}

function mismatch(expected: BlobExpectation, state: string): EngineError {
  return new EngineError("DATA_LOSS", `Cannot store blob "${expected.digest ?? ""}": ${state}`);
}
