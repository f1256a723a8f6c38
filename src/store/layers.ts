// The unpacked layers: layers/<chain id>/diff, one directory a layer, shared by all images that have
// the same stack so far. A directory that is there is whole and never changes.

import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ChainId, chainIds, type DiffId, type Digest, hexOf, isDigest } from "../digest.js";
import { EngineError, isFsError } from "../errors.js";
import { type Attributes, isIndexOf, isXattrPrefix, writeLayerIndex } from "../layer/index.js";
import { asFsError, hasCode } from "../node-errors.js";
import { JsonFields, parseJson } from "../oci/index.js";
import type { LayerPath } from "../path.js";
import { Flusher, replaceFile, syncDirectory } from "./durable.js";
import { impliedBy } from "./implied-directory.js";
import { IncomingBlobs } from "./incoming-blobs.js";
import { INDEX_FILE, INFO_FILE, LayerBatch } from "./layer-batch.js";
import type { LayerFormat } from "./layer-format.js";
import type { LockFile } from "./lock-file.js";
import { removeDirectory } from "./remove-directory.js";
import { scratchPath } from "./scratch-name.js";
import { unpackLayer } from "./unpack.js";

/** What is known of an unpacked layer. */
export interface LayerInfo {
  readonly chainId: ChainId;
  readonly diffId: DiffId;
  /** Of the uncompressed archive. */
  readonly sizeBytes: number;
  /** How whiteouts and owners are written in `diff/`: to be passed to who opens the layer. */
  readonly format: LayerFormat;
}

/** A layer to be unpacked. */
export interface LayerRequest {
  /** The stack it is the top of, base first. */
  readonly diffIds: readonly DiffId[];
  /** Its archive, packed in any known way. */
  open(): AsyncIterable<Uint8Array>;
  /** The blob that `open` would read, of the store or the batch: a large one is unpacked in a thread of its own. */
  readonly blob?: Digest;
  /** `readBytes`: of the blob, where it is known. */
  readonly progress?: (doneBytes: number, readBytes?: number) => void;
}

/** A tree that is to become a layer. */
export interface FinishedTree {
  readonly layer: Omit<LayerInfo, "format">;
  readonly tree: string;
  /** Its archive, which gets its name with the layer. */
  readonly blobs: IncomingBlobs;
}

/** What the layers below say of a directory; undefined: nothing. */
export type ImpliedDirectory = (path: LayerPath) => Attributes | undefined;

/** All unpacked layers of a store. */
export class LayerStore {
  readonly directory: string;
  readonly format: LayerFormat;
  readonly #root: string;
  readonly #tmp: string;
  readonly #lock: LockFile;

  constructor(root: string, lock: LockFile, format: LayerFormat) {
    this.directory = join(root, "layers");
    this.#tmp = join(root, "tmp");
    this.#root = root;
    this.#lock = lock;
    this.format = format;
  }

  /** The directory of the layer's tree, whether it is there or not. */
  path(chainId: ChainId): string {
    return join(this.home(chainId), "diff");
  }

  /** Where the layer's index is: a cache, of which there may be none. */
  indexPath(chainId: ChainId): string {
    return join(this.home(chainId), INDEX_FILE);
  }

  /**
   * Sees to it that an unpacked layer has an index of its tree, where one can be made: another machine's
   * store has none that is of use, an old one none at all. Hold the store's lock shared.
   */
  async ensureIndex(chainId: ChainId): Promise<void> {
    if (!isIndexOf(this.path(chainId), this.indexPath(chainId))) {
      await this.writeIndex(this.home(chainId));
    }
  }

  /** Makes the index of the layer in `home`. It is only a cache: where it can't be, it is not. */
  async writeIndex(home: string): Promise<void> {
    const aside = scratchPath(this.#tmp, "index");
    try {
      if (await writeLayerIndex(join(home, "diff"), aside)) {
        await rename(aside, join(home, INDEX_FILE));
      }
    } catch (error) {
      if (!isFsError(asFsError(error, "index", home))) throw error;
      await rm(aside, { force: true });
    }
  }

  async has(chainId: ChainId): Promise<boolean> {
    return (await this.info(chainId)) !== undefined;
  }

  /** undefined when the layer is not unpacked. Throws EngineError DATA_LOSS when its record is damaged. */
  async info(chainId: ChainId): Promise<LayerInfo | undefined> {
    const path = join(this.home(chainId), INFO_FILE);
    try {
      return parseInfo(await readFile(path), path, chainId);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** Length of the layer's uncompressed archive, where it is known: a damaged record says nothing. */
  async trySizeBytes(chainId: ChainId): Promise<number | undefined> {
    try {
      return (await this.info(chainId))?.sizeBytes;
    } catch (error) {
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }

  /**
   * Unpacks the layer when it is not there, and returns its tree's directory. The stack below must
   * be there. Hold the store's lock shared until an image or container needs the layer.
   * Throws EngineError DATA_LOSS when the archive is damaged or not the one of the diff ID; FsError.
   */
  async ensure(request: LayerRequest): Promise<string> {
    await using batch = await this.batch();
    await batch.add(request);
    await batch.publish();
    return this.path(chainIds(request.diffIds).at(-1) as ChainId);
  }

  /** For several layers, and the blobs that come with them. Hold the store's lock shared as for ensure. */
  async batch(): Promise<LayerBatch> {
    const lock = await this.#lock.acquire("shared");
    try {
      return new LayerBatch({
        layers: this,
        lock,
        flusher: await Flusher.open(this.#tmp),
        blobs: this.incoming(),
        scratch: () => scratchPath(this.#tmp, "layer"),
        home: (chainId) => this.home(chainId),
      });
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** For blobs that are to get their names with a layer. Dispose of it. */
  incoming(): IncomingBlobs {
    return new IncomingBlobs(this.#root, this.#lock);
  }

  /**
   * Makes trees that exist, on the store's file system and in the store's format, the layers of their
   * chain IDs, base first: they and their blobs are renamed, all after one sync. The caller vouches for the diff IDs. A tree
   * whose layer is there already stays where it is. Throws FsError.
   */
  async adopt(made: readonly FinishedTree[]): Promise<void> {
    await using batch = await this.batch();
    for (const { layer, tree, blobs } of made) {
      await batch.adopt(layer, tree);
      batch.blobs.take(blobs);
    }
    await batch.publish();
  }

  /** What a layer above this chain (base first) shows of directories that it does not describe. */
  implied(chain: readonly ChainId[]): { impliedDirectory: ImpliedDirectory } {
    return { impliedDirectory: impliedBy(chain.toReversed().map((lower) => this.path(lower))) };
  }

  /** Whether there is a tree; what is in it is not looked at. */
  async hasTree(chainId: ChainId): Promise<boolean> {
    return await hasTree(this.home(chainId));
  }

  /** Unpacks an archive into the new directory `tree`, which becomes no layer. `below`: the trees below, topmost first. Errors as ensure. */
  async unpackInto(
    tree: string,
    request: {
      readonly diffId: DiffId;
      readonly archive: AsyncIterable<Uint8Array>;
      readonly below: readonly string[];
    },
  ): Promise<void> {
    await mkdir(tree, { mode: 0o755 });
    const { diffId, archive, below } = request;
    await unpackLayer(archive, tree, { diffId, format: this.format, below: async () => below });
  }

  /** The chain IDs of all unpacked layers. */
  async list(): Promise<ChainId[]> {
    const names = await readdir(this.directory);
    return names.map((name) => `sha256:${name}`).filter(isDigest) as ChainId[];
  }

  /** Removes a layer. Only for who holds the store's lock exclusively. */
  async delete(chainId: ChainId): Promise<void> {
    const aside = scratchPath(this.#tmp, "removed");
    try {
      await rename(this.home(chainId), aside);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      throw asFsError(error, "remove", this.home(chainId));
    }
    await removeDirectory(aside);
  }

  /**
   * Makes a directory with a tree `diff/`, on the store's file system and in the store's format, the layer
   * of a chain ID: it is renamed as a whole, so that at any time the tree lies in one of the two places.
   * The caller vouches for the diff ID. False when the layer is there already: then it stays where it is.
   */
  async adoptHome(layer: Omit<LayerInfo, "format">, home: string): Promise<boolean> {
    if (await this.has(layer.chainId)) return false;
    const info: LayerInfo = { ...layer, format: this.format };
    await using flusher = await Flusher.open(home);
    await replaceFile(this.#tmp, home, INFO_FILE, JSON.stringify(info));
    await flusher.flush();
    await this.writeIndex(home);
    try {
      await rename(home, this.home(layer.chainId));
    } catch (error) {
      if (hasCode(error, "ENOTEMPTY", "EEXIST")) return false;
      throw asFsError(error, "rename", home);
    }
    await syncDirectory(this.directory);
    return true;
  }

  /** The directory that holds all of a layer. */
  home(chainId: ChainId): string {
    return join(this.directory, hexOf(chainId));
  }
}

/** Reads a layer.json; `chainId` is the one its directory is named by. */
export function parseInfo(bytes: Uint8Array, path: string, chainId: ChainId): LayerInfo {
  const fields = new JsonFields(parseJson(bytes, path), path);
  const diffId = fields.requiredString("diffId");
  const sizeBytes = fields.count("sizeBytes");
  const format = fields.object("format");
  const prefix = format.requiredString("xattrPrefix");
  const ownership = format.requiredString("ownership");
  if (
    fields.requiredString("chainId") !== chainId ||
    !isDigest(diffId) ||
    sizeBytes === undefined ||
    !isXattrPrefix(prefix) ||
    (ownership !== "native" && ownership !== "override")
  ) {
    throw new EngineError("DATA_LOSS", `Cannot read "${path}": it is not the record of a layer`);
  }
  return {
    chainId,
    diffId: diffId as DiffId,
    sizeBytes,
    format: { xattrPrefix: prefix, ownership },
  };
}

/** True when the layer's directory has its tree. */
export async function hasTree(directory: string): Promise<boolean> {
  try {
    return (await stat(join(directory, "diff"))).isDirectory();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
