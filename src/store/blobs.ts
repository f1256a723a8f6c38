// The blobs of the layout: immutable files named by their digest, checked as they come in.
// https://github.com/opencontainers/image-spec/blob/main/image-layout.md#blobs

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, hexOf, isDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import { asFsError, hasCode } from "../node-errors.js";
import {
  type BlobExpectation,
  BlobWriter,
  type KeepBlob,
  type WriterOptions,
} from "./blob-writer.js";
import { syncDirectory } from "./durable.js";
import type { LockFile } from "./lock-file.js";

/** A blob by its content: sha256 over exactly these bytes. */
export interface BlobInfo {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** What reading a blob checks. */
export interface ReadOptions {
  /** Throw DATA_LOSS at the end of a stream whose bytes are not those of the digest. */
  readonly verify?: boolean;
}

const READ_CHUNK_BYTES = 256 * 1024;

/** All blobs of a store. A blob that is there is whole; nothing ever changes it. */
export class BlobStore {
  readonly directory: string;
  readonly #tmp: string;
  readonly #lock: LockFile;

  constructor(root: string, lock: LockFile) {
    this.directory = join(root, "blobs", "sha256");
    this.#tmp = join(root, "tmp");
    this.#lock = lock;
  }

  /** Where the blob lies, or would lie: to be read, not written. */
  path(digest: Digest): string {
    return join(this.directory, hexOf(digest));
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.#trySize(digest)) !== undefined;
  }

  /** Throws EngineError NOT_FOUND when there is no such blob. */
  async size(digest: Digest): Promise<number> {
    const sizeBytes = await this.#trySize(digest);
    if (sizeBytes === undefined) throw missing(digest);
    return sizeBytes;
  }

  /** The bytes, in chunks. Throws EngineError NOT_FOUND; DATA_LOSS at the end with `verify`. */
  async *stream(digest: Digest, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const hash = options.verify === true ? createHash("sha256") : undefined;
    try {
      for await (const chunk of createReadStream(this.path(digest), {
        highWaterMark: READ_CHUNK_BYTES,
      }) as AsyncIterable<Uint8Array>) {
        hash?.update(chunk);
        yield chunk;
      }
    } catch (error) {
      throw hasCode(error, "ENOENT")
        ? missing(digest)
        : asFsError(error, "read", this.path(digest));
    }
    if (hash !== undefined && `sha256:${hash.digest("hex")}` !== digest) throw damaged(digest);
  }

  /** The whole blob, verified. Throws EngineError NOT_FOUND, or DATA_LOSS when it is damaged or larger than the limit. */
  async readBytes(digest: Digest, limitBytes: number): Promise<Buffer> {
    const sizeBytes = await this.size(digest);
    if (sizeBytes > limitBytes) {
      throw new EngineError(
        "DATA_LOSS",
        `Cannot read blob "${digest}": ${sizeBytes} bytes are more than the ${limitBytes} it may have`,
      );
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.stream(digest)) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (digestOf(bytes) !== digest) throw damaged(digest);
    return bytes;
  }

  /**
   * A blob to be written chunk by chunk. It holds the store's lock shared until it is committed or
   * aborted; who wants the blob to outlive that holds the lock itself until something points at it.
   */
  async writer(options: WriterOptions = {}): Promise<BlobWriter> {
    const lock = await this.#lock.acquire("shared");
    try {
      return await BlobWriter.open(this.#tmp, lock, this.keep, options);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Synced, named, and the name synced: who writes a blob waits for all three. */
  protected readonly keep: KeepBlob = async (aside, digest, handle) => {
    await handle.sync();
    // Also over a blob that is there: the same bytes, unless that one is damaged.
    await rename(aside, join(this.directory, hexOf(digest)));
    await syncDirectory(this.directory);
  };

  /** Stores a stream. Throws EngineError DATA_LOSS when it is not as expected: then nothing is left of it. */
  async put(source: AsyncIterable<Uint8Array>, expected: BlobExpectation = {}): Promise<BlobInfo> {
    await using writer = await this.writer();
    for await (const chunk of source) {
      await writer.write(chunk);
      writer.refuseBeyond(expected);
    }
    return await writer.commit(expected);
  }

  /** Stores these bytes. */
  async putBytes(bytes: Uint8Array, expected: BlobExpectation = {}): Promise<BlobInfo> {
    await using writer = await this.writer();
    await writer.write(bytes);
    return await writer.commit(expected);
  }

  /** All blobs, in no order. Files that are no blobs are left out. */
  async list(): Promise<Digest[]> {
    const names = await readdir(this.directory);
    return names.map((name) => `sha256:${name}`).filter(isDigest);
  }

  /** Removes a blob; nothing happens when it is not there. Only for who holds the store's lock exclusively. */
  async delete(digest: Digest): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Makes deletions durable. */
  async sync(): Promise<void> {
    await syncDirectory(this.directory);
  }

  async #trySize(digest: Digest): Promise<number | undefined> {
    try {
      const found = await stat(this.path(digest));
      return found.isFile() ? found.size : undefined;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw asFsError(error, "stat", this.path(digest));
    }
  }

  /** The sha256 of what the file of a blob really holds. */
  async actualDigest(digest: Digest): Promise<Digest> {
    const handle = await open(this.path(digest), "r");
    try {
      const hash = createHash("sha256");
      const buffer = Buffer.allocUnsafe(1024 * 1024);
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength);
        if (bytesRead === 0) return `sha256:${hash.digest("hex")}` as Digest;
        hash.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  }
}

function missing(digest: Digest): EngineError {
  return new EngineError("NOT_FOUND", `Cannot read blob "${digest}": it is not in the store`);
}

function damaged(digest: Digest): EngineError {
  return new EngineError("DATA_LOSS", `Cannot read blob "${digest}": its bytes are damaged`);
}
