// What blobs became when they were compressed on their way out: a cache in one small file, so that a
// second push knows a layer's compressed digest without making it again. It may be lost at any time.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, isDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import { JsonFields, type LayerCompression, parseJson } from "../oci/index.js";
import type { BlobInfo } from "./blobs.js";
import { replaceFile } from "./durable.js";
import type { LockFile } from "./lock-file.js";

const FILE = "packed.json";
/** The oldest are forgotten. */
const MOST_ENTRIES = 10_000;

/** Digests of compressed forms, by the digest of what was compressed. */
export class PackedBlobs {
  readonly #root: string;
  readonly #lock: LockFile;

  constructor(root: string, lock: LockFile) {
    this.#root = root;
    this.#lock = lock;
  }

  /** What a blob became in this form when it was last compressed; undefined when that is not known. */
  async get(blob: Digest, form: LayerCompression): Promise<BlobInfo | undefined> {
    return (await this.#read()).get(keyOf(blob, form));
  }

  /** Remembers what a blob became. Throws FsError. */
  async set(blob: Digest, form: LayerCompression, packed: BlobInfo): Promise<void> {
    await using _lock = await this.#lock.acquire("exclusive");
    const entries = await this.#read();
    const key = keyOf(blob, form);
    entries.delete(key);
    entries.set(key, packed);
    const kept = Object.fromEntries([...entries].slice(-MOST_ENTRIES));
    await replaceFile(join(this.#root, "tmp"), this.#root, FILE, JSON.stringify(kept));
  }

  /** Anything that is not as we write it is as good as nothing. */
  async #read(): Promise<Map<string, BlobInfo>> {
    const path = join(this.#root, FILE);
    try {
      const file = new JsonFields(parseJson(await readFile(path), path), path);
      return new Map(
        Object.entries(file.raw).flatMap(([key, value]) => {
          const fields = new JsonFields(value, path);
          const digest = fields.string("digest");
          const sizeBytes = fields.count("sizeBytes");
          return isDigest(digest) && sizeBytes !== undefined ? [[key, { digest, sizeBytes }]] : [];
        }),
      );
    } catch (error) {
      if (error instanceof EngineError || hasCode(error, "ENOENT")) return new Map();
      throw error;
    }
  }
}

function keyOf(blob: Digest, form: LayerCompression): string {
  return `${blob} ${form}`;
}
