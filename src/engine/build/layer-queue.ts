// Layers of one mount in the making: while the next RUN goes on, what the last one left is archived, and
// what is archived by then is put on the disk by one sync.

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { chainIds, type DiffId } from "../../digest.js";
import { type DiffEntry, writeDiff } from "../../layer/index.js";
import type { Overlay } from "../../overlay/index.js";
import type { FinishedTree, IncomingBlobs } from "../../store/index.js";
import { isSocket } from "../../sys/index.js";
import type { BuildJob } from "./build-job.js";
import type { BuiltLayer, KeptLayer } from "./stage-state.js";
import { chainIdAbove, clampEntries, writeTree } from "./step-layer.js";

/** An upper that nobody changes any more. */
export interface FrozenUpper {
  /** Where its tree lies until it becomes a layer. */
  readonly tree: string;
  readonly work: string;
  /** The merged tree with it at the top. The caller closes it. */
  open(): Overlay;
}

/** Uppers become layers, one above the other. */
export class LayerQueue {
  readonly #job: BuildJob;
  /** Of all below the next one. */
  readonly #diffIds: DiffId[];
  /** They get their names with the layers, after one sync. */
  readonly #blobs: IncomingBlobs;
  readonly #finished: FinishedTree[] = [];
  #archived: Promise<unknown> = Promise.resolve();
  #published: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(job: BuildJob, diffIds: readonly DiffId[]) {
    this.#job = job;
    this.#blobs = job.store.layers.incoming();
    this.#diffIds = [...diffIds];
  }

  /** The layer, once it is durable. `upper` has changes. Rejects with FsError, the user's abort. */
  add(upper: FrozenUpper): Promise<KeptLayer> {
    const archived = this.#archived.then(async () => await this.#archive(upper));
    this.#archived = archived;
    const kept = archived.then(async (layer) => {
      await this.#publish();
      return layer;
    });
    kept.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    return kept;
  }

  /** Throws what has gone wrong so far. */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when nothing goes on any more, however it ended. */
  async idle(): Promise<void> {
    await Promise.allSettled([this.#archived]);
    await Promise.allSettled([this.#published]);
    await this.#blobs[Symbol.asyncDispose]();
  }

  /** All that is finished when it begins; the layers below are there already. */
  #publish(): Promise<void> {
    const { layers } = this.#job.store;
    this.#published = this.#published.then(
      async () => await layers.adopt(this.#finished.splice(0)),
    );
    return this.#published;
  }

  async #archive(upper: FrozenUpper): Promise<KeptLayer> {
    const overlay = upper.open();
    try {
      const { layer, tree } = await this.#written(upper, overlay);
      const chainId = chainIdAbove(this.#diffIds, layer.diffId);
      const kept = { ...layer, chainId };
      this.#finished.push({ layer: kept, tree, blobs: this.#blobs });
      this.#diffIds.push(layer.diffId);
      return kept;
    } finally {
      overlay.close();
    }
  }

  /** The upper itself becomes the layer, unless it holds what no archive can, or its times must change. */
  async #written(
    upper: FrozenUpper,
    overlay: Overlay,
  ): Promise<{ readonly layer: BuiltLayer; readonly tree: string }> {
    const { latestSec } = this.#job;
    const index = await readdir(join(upper.work, "strata.index"));
    if (latestSec !== undefined || index.length > 0) return await this.#anew(overlay);
    let hasSockets = false;
    const watched = (function* () {
      for (const entry of overlay.changes()) {
        hasSockets ||= entry.kind === "entry" && isSocket(entry.stat.mode);
        yield entry;
      }
    })();
    const layer = await this.#blob(watched);
    if (hasSockets) return await this.#anew(overlay);
    // The whiteouts of the tree are further names of this one: its end must not change them later.
    await rm(join(upper.work, "work", "whiteout"), { force: true });
    return { layer, tree: upper.tree };
  }

  async #blob(entries: Iterable<DiffEntry>): Promise<BuiltLayer> {
    const { request } = this.#job;
    await using writer = await this.#blobs.writer({ digest: "given", chunks: "lent" });
    const write = async (chunk: Uint8Array): Promise<void> => {
      request.signal?.throwIfAborted();
      await writer.write(chunk);
    };
    const { diffId, sizeBytes } = await writeDiff(entries, write, { lendsChunks: true });
    await writer.commit({ digest: diffId, sizeBytes });
    return { diffId, sizeBytes };
  }

  async #anew(overlay: Overlay): Promise<{ readonly layer: BuiltLayer; readonly tree: string }> {
    const { store, scratch, latestSec } = this.#job;
    // What the layers below say of directories is asked there.
    await this.#publish();
    const { layers } = store;
    return await writeTree(
      { layers, scratch, chain: chainIds(this.#diffIds), blobs: this.#blobs },
      clampEntries(overlay.changes(), latestSec),
    );
  }
}
