// The cache of builds: what each step made, by its key, in build/steps/<key>.json. What it holds is
// kept from garbage collection until a record is deleted. Whoever finds a record damaged or its layer
// gone builds anew: it is a cache.

import { constants } from "node:fs";
import { mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ChainId, type DiffId, isDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import { JsonFields, parseJson } from "../oci/index.js";
import type { BlobStore } from "./blobs.js";
import { replaceFile } from "./durable.js";
import { namesIn } from "./names-in.js";

/** What a step of a build made. */
export interface CachedStep {
  /** 64 hex digits: of everything that the step's result depends on. */
  readonly key: string;
  /** Its layer; undefined when the step changed nothing. */
  readonly layer:
    | { readonly diffId: DiffId; readonly chainId: ChainId; readonly sizeBytes: number }
    | undefined;
  /** The instruction, for lists. */
  readonly description: string;
  readonly createdAt: Date;
  /** The step has another key, by which the rest is known: this one was quicker to find out. */
  readonly alias?: string;
}

/** A record as it is listed. */
export interface ListedStep extends CachedStep {
  /** How often a build found it. */
  readonly uses: number;
  readonly usedAt: Date;
}

const keyForm = /^[0-9a-f]{64}$/;

/** All records of a store. Hold the store's lock shared while what they name is used. */
export class BuildCache {
  /** Made when something is put there. */
  readonly directory: string;
  /** Directories that RUN --mount=type=cache keeps, one a folder. */
  readonly mounts: string;
  /** Digests of the files of contexts, one file a context. */
  readonly contexts: string;
  readonly #steps: string;
  readonly #tmp: string;
  readonly #blobs: BlobStore;

  constructor(root: string, blobs: BlobStore) {
    this.directory = join(root, "build");
    this.#steps = join(this.directory, "steps");
    this.mounts = join(this.directory, "mounts");
    this.contexts = join(this.directory, "contexts");
    this.#tmp = join(root, "tmp");
    this.#blobs = blobs;
  }

  /** undefined when nothing usable is known; what is found counts as used now. */
  async get(key: string): Promise<CachedStep | undefined> {
    const step = await this.#read(key);
    if (step === undefined) return undefined;
    if (step.alias !== undefined) return await this.get(step.alias);
    if (step.layer !== undefined && !(await this.#blobs.has(step.layer.diffId))) return undefined;
    await this.#count(key);
    return step;
  }

  async put(step: CachedStep): Promise<void> {
    await mkdir(this.#steps, { recursive: true, mode: 0o700 });
    await replaceFile(this.#tmp, this.#steps, `${step.key}.json`, JSON.stringify(step), false);
  }

  /** What is remembered of the files of a context; undefined when nothing is. */
  async readContext(name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(this.contexts, name));
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async writeContext(name: string, bytes: Uint8Array): Promise<void> {
    await mkdir(this.contexts, { recursive: true, mode: 0o700 });
    await replaceFile(this.#tmp, this.contexts, name, bytes, false);
  }

  /** All records that can be read. */
  async list(): Promise<ListedStep[]> {
    const keys = (await namesIn(this.#steps))
      .filter((name) => name.endsWith(".json"))
      .map((name) => name.slice(0, -".json".length))
      .filter((key) => keyForm.test(key));
    const found = await Promise.all(
      keys.map(async (key) => {
        const step = await this.#read(key);
        if (step === undefined) return undefined;
        return await this.#listed(key, step);
      }),
    );
    return found.filter((step) => step !== undefined);
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true });
  }

  #path(key: string): string {
    return join(this.#steps, `${key}.json`);
  }

  /** A blank line behind the record for each use: one write says that, and when. */
  async #count(key: string): Promise<void> {
    try {
      const record = await open(this.#path(key), constants.O_WRONLY | constants.O_APPEND);
      try {
        await record.write("\n");
      } finally {
        await record.close();
      }
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
    }
  }

  /** undefined when it is gone meanwhile. */
  async #listed(key: string, step: CachedStep): Promise<ListedStep | undefined> {
    try {
      const text = await readFile(this.#path(key), "utf8");
      const { mtime } = await stat(this.#path(key));
      return { ...step, usedAt: mtime, uses: text.length - text.trimEnd().length };
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async #read(key: string): Promise<CachedStep | undefined> {
    const path = this.#path(key);
    try {
      return parseStep(await readFile(path), path, key);
    } catch (error) {
      if (hasCode(error, "ENOENT") || error instanceof EngineError) return undefined;
      throw error;
    }
  }
}

/** Throws EngineError DATA_LOSS. */
function parseStep(bytes: Uint8Array, path: string, key: string): CachedStep {
  const fields = new JsonFields(parseJson(bytes, path), path);
  const createdAt = new Date(fields.requiredString("createdAt"));
  if (fields.requiredString("key") !== key || Number.isNaN(createdAt.getTime())) {
    throw new EngineError("DATA_LOSS", `Cannot read "${path}": it is not the record of a step`);
  }
  return {
    key,
    layer: fields.has("layer") ? parseLayer(fields.object("layer"), path) : undefined,
    description: fields.requiredString("description"),
    createdAt,
    ...aliasOf(fields, key),
  };
}

/** One step away at most: an alias of an alias is none. */
function aliasOf(fields: JsonFields, key: string): { alias?: string } {
  const alias = fields.string("alias");
  return alias === undefined || alias === key || !keyForm.test(alias) ? {} : { alias };
}

function parseLayer(fields: JsonFields, path: string): NonNullable<CachedStep["layer"]> {
  const diffId = fields.requiredString("diffId");
  const chainId = fields.requiredString("chainId");
  const sizeBytes = fields.count("sizeBytes");
  if (!isDigest(diffId) || !isDigest(chainId) || sizeBytes === undefined) {
    throw new EngineError("DATA_LOSS", `Cannot read "${path}": it is not the record of a step`);
  }
  return { diffId: diffId as DiffId, chainId: chainId as ChainId, sizeBytes };
}
