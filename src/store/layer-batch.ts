// The layers of one command on their way in, with its blobs: unpacked beside their place, some at once,
// then on the disk by one sync, then named, base first. What has a name is whole; a crash leaves garbage.

import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { assert } from "../assert.js";
import { type ChainId, chainIds, type DiffId } from "../digest.js";
import { asFsError, hasCode } from "../node-errors.js";
import { Slots } from "../slots.js";
import { type Flusher, syncDirectory } from "./durable.js";
import type { IncomingBlobs } from "./incoming-blobs.js";
import type { LayerInfo, LayerRequest, LayerStore } from "./layers.js";
import type { HeldLock } from "./lock-file.js";
import { removeDirectory } from "./remove-directory.js";
import { type BelowTrees, unpackLayer } from "./unpack.js";
import { UnpackWorker } from "./unpack-worker.js";

export const INFO_FILE = "layer.json";
/** The layer's index (layer/layer-index.ts). */
export const INDEX_FILE = "index";

/** Smaller blobs are unpacked at once: a thread of its own takes longer to start. */
const THREAD_FROM_BYTES = 8 << 20;
/** More threads would only wait for the disk, and each takes 40 MB of memory. */
const MOST_AT_ONCE = 3;

/** What a batch needs of the store that it fills. */
export interface BatchPlace {
  readonly layers: LayerStore;
  /** Held until the batch is disposed of. */
  readonly lock: HeldLock;
  readonly flusher: Flusher;
  readonly blobs: IncomingBlobs;
  scratch(): string;
  home(chainId: ChainId): string;
}

/** A layer that is whole but has no name yet. */
interface Unpacked {
  readonly aside: string;
  readonly info: LayerInfo;
}

/** A layer that is being unpacked. */
interface Underway {
  readonly aside: string;
  /** Undefined when the layer was there. */
  readonly done: Promise<Unpacked | undefined>;
}

/**
 * Bring blobs, add layers, then publish; disposing of it removes what was not published. Layers may be
 * added while others are under way, but in the order of their stack.
 */
export class LayerBatch implements AsyncDisposable {
  /** The blobs that come in with the layers; those of the store are read here too. */
  readonly blobs: IncomingBlobs;
  readonly #place: BatchPlace;
  readonly #slots = new Slots(Math.min(MOST_AT_ONCE, availableParallelism()));
  readonly #workers = new Set<UnpackWorker>();
  readonly #idle: UnpackWorker[] = [];
  /** In the order they were added: base first. */
  readonly #underway = new Map<ChainId, Underway>();
  #isEnded = false;

  constructor(place: BatchPlace) {
    this.#place = place;
    this.blobs = place.blobs;
  }

  /**
   * Unpacks the layer unless it is there; false when it was. The stack below must be there or have been added
   * before. Throws EngineError DATA_LOSS when the archive is damaged or not the one of the diff ID; FsError.
   */
  async add(request: LayerRequest): Promise<boolean> {
    const chain = chainIds(request.diffIds);
    const chainId = chain.pop();
    const diffId = request.diffIds.at(-1);
    assert(chainId !== undefined && diffId !== undefined, "a stack has a top");
    const known = this.#underway.get(chainId);
    if (known !== undefined) {
      await known.done;
      return false;
    }
    const aside = this.#place.scratch();
    // A place is taken now, not after some wait: who waits in one for the layers below finds them at work.
    const done = this.#slots.run(async () =>
      this.#unpackUnlessThere(request, { chainId, diffId, aside, below: chain.reverse() }),
    );
    this.#underway.set(chainId, { aside, done });
    return (await done) !== undefined;
  }

  /** Gives blobs and layers their names, durably. Throws FsError, and what unpacking threw. */
  async publish(): Promise<void> {
    const { home, layers, flusher } = this.#place;
    const done = await Promise.all([...this.#underway.values()].map((layer) => layer.done));
    const unpacked = done.filter((layer) => layer !== undefined);
    if (unpacked.length === 0 && this.blobs.isEmpty) return;
    for (const { aside, info } of unpacked) {
      await writeFile(join(aside, INFO_FILE), JSON.stringify(info), { flag: "wx", mode: 0o644 });
    }
    // One syncfs is far cheaper than an fsync for each file of the layers.
    await flusher.flush();
    await this.blobs.name();
    for (const { aside, info } of unpacked) {
      // After the sync, because some file systems know only then how much room files take.
      await layers.writeIndex(aside);
      await nameLayer(aside, home(info.chainId));
      this.#underway.delete(info.chainId);
    }
    await syncDirectory(layers.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    try {
      for (const worker of this.#workers) await worker[Symbol.asyncDispose]();
      // Who added them hears of their failures.
      await Promise.allSettled([...this.#underway.values()].map(({ done }) => done));
      for (const { aside } of this.#underway.values()) await removeDirectory(aside);
      await this.blobs[Symbol.asyncDispose]();
    } finally {
      await this.#place.flusher[Symbol.asyncDispose]();
      await this.#place.lock.release();
    }
  }

  /** A tree that exists becomes a layer of the batch, unless it is there: then the tree stays where it is. */
  async adopt(layer: Omit<LayerInfo, "format">, tree: string): Promise<void> {
    const { layers, scratch } = this.#place;
    const { chainId } = layer;
    if (this.#underway.has(chainId) || (await layers.has(chainId))) return;
    const aside = scratch();
    await mkdir(aside, { recursive: true, mode: 0o755 });
    await rename(tree, join(aside, "diff"));
    const info = { ...layer, format: layers.format };
    this.#underway.set(chainId, { aside, done: Promise.resolve({ aside, info }) });
  }

  async #unpackUnlessThere(
    request: LayerRequest,
    { chainId, diffId, aside, below }: Place,
  ): Promise<Unpacked | undefined> {
    const { layers } = this.#place;
    if (this.#isEnded || (await layers.has(chainId))) return undefined;
    try {
      const tree = join(aside, "diff");
      await mkdir(tree, { recursive: true, mode: 0o755 });
      const { format } = layers;
      const sizeBytes = await this.#unpack(request, tree, {
        diffId,
        format,
        below: () => this.#treesOf(below),
      });
      return { aside, info: { chainId, diffId, sizeBytes, format } };
    } catch (error) {
      await removeDirectory(aside);
      throw asFsError(error, "unpack", aside);
    }
  }

  async #unpack(
    request: LayerRequest,
    tree: string,
    options: Pick<LayerInfo, "diffId" | "format"> & { readonly below: BelowTrees },
  ): Promise<number> {
    const { progress, blob } = request;
    const blobPath = blob === undefined ? undefined : this.blobs.path(blob);
    if (blobPath === undefined || (await sizeOf(blobPath)) < THREAD_FROM_BYTES) {
      return (await unpackLayer(request.open(), tree, { ...options, progress })).sizeBytes;
    }
    const { below, ...job } = options;
    const worker = this.#idle.pop() ?? new UnpackWorker();
    this.#workers.add(worker);
    const { sizeBytes } = await worker.run({ blobPath, tree, ...job }, { below, progress });
    this.#idle.push(worker);
    return sizeBytes;
  }

  /** Once these layers are whole. Throws what unpacking them threw. */
  async #treesOf(chain: readonly ChainId[]): Promise<readonly string[]> {
    return await Promise.all(
      chain.map(async (chainId) => {
        const own = await this.#underway.get(chainId)?.done;
        return own === undefined ? this.#place.layers.path(chainId) : join(own.aside, "diff");
      }),
    );
  }
}

/** Which layer is unpacked, where, and on what: topmost first. */
interface Place {
  readonly chainId: ChainId;
  readonly diffId: DiffId;
  readonly aside: string;
  readonly below: readonly ChainId[];
}

/** 0 where nothing is. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return 0;
    throw error;
  }
}

async function nameLayer(aside: string, home: string): Promise<void> {
  try {
    await rename(aside, home);
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY", "EEXIST")) throw error;
    // Another process was faster with the same layer.
    await removeDirectory(aside);
  }
}
