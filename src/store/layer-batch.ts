// The layers of one image on their way in: unpacked one after the other beside their place, then on
// the disk by one sync, then named, base first. What has a name is whole; a crash leaves garbage.

import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../assert.js";
import { type ChainId, chainIds } from "../digest.js";
import { errno, FsError } from "../errors.js";
import { asFsError, hasCode } from "../node-errors.js";
import { syncfsLater } from "../sys/index.js";
import { syncDirectory } from "./durable.js";
import type { LayerInfo, LayerRequest, LayerStore } from "./layers.js";
import type { HeldLock } from "./lock-file.js";
import { removeDirectory } from "./remove-directory.js";
import { unpackLayer } from "./unpack.js";
import { UnpackWorker } from "./unpack-worker.js";

export const INFO_FILE = "layer.json";
/** The layer's index (layer/layer-index.ts). */
export const INDEX_FILE = "index";

/** Smaller blobs are unpacked at once: a thread of its own takes longer to start. */
const THREAD_FROM_BYTES = 8 << 20;

/** What a batch needs of the store that it fills. */
export interface BatchPlace {
  readonly layers: LayerStore;
  /** Held until the batch is disposed of. */
  readonly lock: HeldLock;
  scratch(): string;
  home(chainId: ChainId): string;
  blobFile(
    request: LayerRequest,
  ): Promise<{ readonly path: string; readonly sizeBytes: number } | undefined>;
}

/** A layer that is whole but has no name yet. */
export interface Unpacked {
  readonly aside: string;
  readonly info: LayerInfo;
}

/** Add layers, then publish; disposing of it removes what was not published. Not for use in parallel. */
export class LayerBatch implements AsyncDisposable {
  readonly #place: BatchPlace;
  readonly #worker = new UnpackWorker();
  readonly #unpacked = new Map<ChainId, Unpacked>();

  constructor(place: BatchPlace) {
    this.#place = place;
  }

  /**
   * Unpacks the layer unless it is there; false when it was. The stack below must be there or in this
   * batch. Throws EngineError DATA_LOSS when the archive is damaged or not the one of the diff ID; FsError.
   */
  async add(request: LayerRequest): Promise<boolean> {
    const chain = chainIds(request.diffIds);
    const chainId = chain.pop();
    const diffId = request.diffIds.at(-1);
    assert(chainId !== undefined && diffId !== undefined, "a stack has a top");
    const { layers } = this.#place;
    if (this.#unpacked.has(chainId) || (await layers.has(chainId))) return false;
    const aside = this.#place.scratch();
    try {
      const tree = join(aside, "diff");
      await mkdir(tree, { recursive: true, mode: 0o755 });
      const below = chain.reverse().map((lower) => this.#treeOf(lower));
      const options = { diffId, format: layers.format, below };
      const sizeBytes = await this.#unpack(request, tree, options);
      const info = { chainId, diffId, sizeBytes, format: layers.format };
      this.#unpacked.set(chainId, { aside, info });
      return true;
    } catch (error) {
      await removeDirectory(aside);
      throw asFsError(error, "unpack", aside);
    }
  }

  /** Gives the layers their names, durably. Throws FsError. */
  async publish(): Promise<void> {
    await publishLayers(this.#place, [...this.#unpacked.values()], (chainId) =>
      this.#unpacked.delete(chainId),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#worker[Symbol.asyncDispose]();
      for (const { aside } of this.#unpacked.values()) await removeDirectory(aside);
    } finally {
      await this.#place.lock.release();
    }
  }

  async #unpack(
    request: LayerRequest,
    tree: string,
    options: Pick<LayerInfo, "diffId" | "format"> & { readonly below: readonly string[] },
  ): Promise<number> {
    const { progress } = request;
    const file = await this.#place.blobFile(request);
    if (file !== undefined && file.sizeBytes >= THREAD_FROM_BYTES) {
      const job = { blobPath: file.path, tree, ...options };
      return (await this.#worker.run(job, progress)).sizeBytes;
    }
    return (await unpackLayer(request.open(), tree, { ...options, progress })).sizeBytes;
  }

  #treeOf(chainId: ChainId): string {
    const own = this.#unpacked.get(chainId);
    return own === undefined ? this.#place.layers.path(chainId) : join(own.aside, "diff");
  }
}

/** Everything on the disk first, then the names, base first: what has a name is whole. Throws FsError. */
export async function publishLayers(
  place: Pick<BatchPlace, "layers" | "home">,
  unpacked: readonly Unpacked[],
  onNamed: (chainId: ChainId) => void = () => undefined,
): Promise<void> {
  const last = unpacked.at(-1);
  if (last === undefined) return;
  for (const { aside, info } of unpacked) {
    await writeFile(join(aside, INFO_FILE), JSON.stringify(info), { flag: "wx", mode: 0o644 });
  }
  // One syncfs is far cheaper than an fsync for each file of the layers. Downloads go on meanwhile.
  await flush(last.aside);
  for (const { aside, info } of unpacked) {
    // After the sync, because some file systems know only then how much room files take.
    await place.layers.writeIndex(aside);
    await nameLayer(aside, place.home(info.chainId));
    onNamed(info.chainId);
  }
  await syncDirectory(place.layers.directory);
}

/** Everything on the file system of `path` is on the disk. Throws FsError EIO. */
export async function flush(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await synced(handle.fd);
  } finally {
    await handle.close();
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

/** Throws FsError EIO: a failed flush is reported once, so asking again would hide it. */
async function synced(fd: number): Promise<void> {
  const ok = await new Promise<boolean>((resolve) => syncfsLater(fd, resolve));
  if (!ok) throw new FsError(errno.EIO, "syncfs");
}
