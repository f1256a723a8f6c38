// A diff becomes the blob of a new layer, in which no time is after $SOURCE_DATE_EPOCH.

import type { DiffId } from "../digest.js";
import { layerDescriptor } from "../image/index.js";
import { clampDiff, type DiffEntry, writeDiff } from "../layer/index.js";
import type { Descriptor } from "../oci/index.js";
import type { Store } from "../store/index.js";
import { latestSeconds } from "./present-time.js";
import type { Progress } from "./progress.js";

export interface LayerBlob {
  /** Of the uncompressed archive. */
  readonly descriptor: Descriptor;
  readonly diffId: DiffId;
  /** Seconds since 1970: no time in the archive is later. Then it may differ in times from the tree that it was made of. */
  readonly latestSec?: number;
}

/** What is told of it while it is written. */
export interface LayerBlobOptions {
  readonly reference?: string;
  readonly progress?: Progress;
}

/** Durably in the store. Throws EngineError INVALID_ARGUMENT for a bad $SOURCE_DATE_EPOCH, FsError. */
export async function putLayerBlob(
  store: Store,
  entries: Iterable<DiffEntry>,
  { reference, progress }: LayerBlobOptions = {},
): Promise<LayerBlob> {
  await using writer = await store.blobs.writer({ digest: "given", chunks: "lent" });
  const latestSec = latestSeconds();
  const told = latestSec === undefined ? entries : clampDiff(entries, latestSec);
  const write = async (chunk: Uint8Array): Promise<void> => {
    await writer.write(chunk);
    progress?.({
      object: reference ?? "layer",
      action: "writing",
      doneBytes: writer.sizeBytes,
      totalBytes: undefined,
    });
  };
  const { diffId, sizeBytes } = await writeDiff(told, write, { lendsChunks: true });
  const descriptor = layerDescriptor(await writer.commit({ digest: diffId, sizeBytes }));
  return { descriptor, diffId, ...(latestSec === undefined ? {} : { latestSec }) };
}
