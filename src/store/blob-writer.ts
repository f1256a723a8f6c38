// One blob on its way in: a file in tmp/ that becomes a blob by a rename once its bytes are all
// there, checked and synced. Whatever goes wrong before that leaves nothing.

import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../assert.js";
import { type Digest, hexOf } from "../digest.js";
import { EngineError } from "../errors.js";
import { asFsError } from "../node-errors.js";
import { beginWriteBack } from "../sys/index.js";
import { syncDirectory } from "./durable.js";
import type { HeldLock } from "./lock-file.js";
import { scratchPath } from "./scratch-name.js";

/** The disk begins with pieces of this size, while the rest is still to come. */
const WRITE_BACK_BYTES = 16 << 20;

/** What the sender says of a blob; what is absent is not checked. */
export interface BlobExpectation {
  readonly digest?: Digest;
  readonly sizeBytes?: number;
}

/** How a blob is written. */
export interface WriterOptions {
  /**
   * "given": the caller hashes the very bytes it writes, and passes their digest to commit(), so
   * that they are hashed once only. "computed" is the default.
   */
  readonly digest?: "computed" | "given";
  /**
   * "later": the caller syncs the whole file system (LayerStore.adopt does) before anything points at
   * the blob. "commit" is the default.
   */
  readonly sync?: "commit" | "later";
}

/** Writes go in order; then commit() or abort(), of which the first call counts. */
export class BlobWriter implements AsyncDisposable {
  readonly #directory: string;
  readonly #aside: string;
  readonly #lock: HeldLock;
  readonly #hash: Hash | undefined;
  readonly #syncsLater: boolean;
  #handle: FileHandle | undefined;
  #sizeBytes = 0;
  /** So much is on its way to the disk already. */
  #begunBytes = 0;

  private constructor(
    directory: string,
    aside: string,
    lock: HeldLock,
    handle: FileHandle,
    hash: Hash | undefined,
    syncsLater: boolean,
  ) {
    this.#directory = directory;
    this.#aside = aside;
    this.#lock = lock;
    this.#handle = handle;
    this.#hash = hash;
    this.#syncsLater = syncsLater;
  }

  /** For BlobStore.writer(): takes over `lock`. */
  static async open(
    directory: string,
    tmp: string,
    lock: HeldLock,
    options: WriterOptions,
  ): Promise<BlobWriter> {
    const aside = scratchPath(tmp, "blob");
    const hash = options.digest === "given" ? undefined : createHash("sha256");
    try {
      const handle = await open(aside, "wx", 0o644);
      return new BlobWriter(directory, aside, lock, handle, hash, options.sync === "later");
    } catch (error) {
      throw asFsError(error, "create", aside);
    }
  }

  /** Bytes written so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Appends; the chunk may be reused once the promise is settled. Throws FsError (ENOSPC …). */
  async write(chunk: Uint8Array): Promise<void> {
    const handle = this.#handle;
    assert(handle !== undefined, "a blob is written before it is committed");
    this.#hash?.update(chunk);
    try {
      for (let done = 0; done < chunk.byteLength; ) {
        const { bytesWritten } = await handle.write(chunk, done, chunk.byteLength - done);
        done += bytesWritten;
      }
    } catch (error) {
      throw asFsError(error, "write", this.#aside);
    }
    this.#sizeBytes += chunk.byteLength;
    if (this.#sizeBytes - this.#begunBytes < WRITE_BACK_BYTES) return;
    beginWriteBack(handle.fd, this.#begunBytes, this.#sizeBytes - this.#begunBytes);
    this.#begunBytes = this.#sizeBytes;
  }

  /** Throws DATA_LOSS as soon as more came than was said, so that no sender can fill the disk. */
  refuseBeyond(expected: BlobExpectation): void {
    if (expected.sizeBytes !== undefined && this.#sizeBytes > expected.sizeBytes) {
      throw mismatch(expected, `it has more than ${expected.sizeBytes} bytes`);
    }
  }

  /**
   * The blob is in the store, durably, when this returns. Throws EngineError DATA_LOSS when it is
   * not as expected. With digest "given", `expected.digest` is taken on trust.
   */
  async commit(
    expected: BlobExpectation = {},
  ): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
    const handle = this.#handle;
    assert(handle !== undefined, "a blob is committed once");
    try {
      const digest = this.#check(expected);
      const path = join(this.#directory, hexOf(digest));
      if (!this.#syncsLater) await handle.sync();
      // Also over a blob that is there: the same bytes, unless that one is damaged.
      await rename(this.#aside, path);
      if (!this.#syncsLater) await syncDirectory(this.#directory);
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
      await handle.close();
      await rm(this.#aside, { force: true });
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

function mismatch(expected: BlobExpectation, state: string): EngineError {
  return new EngineError("DATA_LOSS", `Cannot store blob "${expected.digest ?? ""}": ${state}`);
}
