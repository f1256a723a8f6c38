// The layers of a remote image: three downloads at once, in the order of the stack, while those that
// are there are unpacked, several at once. All of it becomes visible together.

import { chainIds, type DiffId, type Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { checkDiffId } from "../image/index.js";
import type { Descriptor } from "../oci/index.js";
import type { Repository } from "../registry/index.js";
import { Slots } from "../slots.js";
import type { LayerBatch, Store } from "../store/index.js";
import { FirstFailure } from "./first-failure.js";
import type { RemoteImage } from "./pull-documents.js";
import { type LayerState, type OnTransfer, PARALLEL_LAYERS } from "./transfer.js";

/** True when the store has this very image, checked when it came in, with all its layers unpacked. */
export async function isComplete(store: Store, image: RemoteImage): Promise<boolean> {
  const entries = await store.references.list();
  if (!entries.some(({ descriptor }) => descriptor.digest === image.descriptor.digest))
    return false;
  for (const layer of image.manifest.layers) {
    if (!(await store.blobs.has(layer.digest))) return false;
  }
  for (const chainId of chainIds(image.diffIds)) {
    if (!(await store.layers.has(chainId))) return false;
  }
  return true;
}

/** Hold the store's lock shared. Throws EngineError; then no transfer is under way any more. */
export async function pullLayers(
  store: Store,
  repository: Repository,
  image: RemoteImage,
  onEvent: OnTransfer | undefined,
): Promise<void> {
  const known = await knownPairs(store);
  const failure = new FirstFailure(() => repository.session[Symbol.dispose]());
  const tell = teller(onEvent);
  await using batch = await store.layers.batch();
  const blobs = new Map(image.manifest.layers.map((layer) => [layer.digest, layer]));
  for (const layer of blobs.values()) tell(layer, "waiting", 0);
  const slots = new Slots(PARALLEL_LAYERS);
  const downloads = new Map(
    [...blobs].map(([digest, layer]) => [
      digest,
      failure.watch(() => slots.run(() => download(batch, repository, layer, tell))),
    ]),
  );
  const unpacking: Promise<void>[] = [];
  const begun = failure.watch(async () => {
    for (const [n, layer] of image.manifest.layers.entries()) {
      const fresh = await downloads.get(layer.digest);
      const diffIds = image.diffIds.slice(0, n + 1);
      const unpack = await unpackerOf(store, batch, layer, diffIds, known, tell);
      const task = failure.watch(async () => {
        const unpacked = await unpack();
        tell(layer, fresh === true || unpacked ? "pulled" : "exists", layer.sizeBytes);
      });
      // Its failure is thrown below; until then it is not unheard of.
      task.catch(() => undefined);
      unpacking.push(task);
    }
  });
  await failure.all<unknown>([begun, ...downloads.values()]);
  await failure.all(unpacking);
  await batch.publish();
}

type Tell = (layer: Descriptor, state: LayerState, doneBytes: number) => void;

function teller(onEvent: OnTransfer | undefined): Tell {
  return ({ digest, sizeBytes }, state, doneBytes) =>
    onEvent?.({ kind: "layer", layer: digest, state, doneBytes, totalBytes: sizeBytes });
}

/** True when the blob was not there. */
async function download(
  { blobs }: LayerBatch,
  repository: Repository,
  layer: Descriptor,
  tell: Tell,
): Promise<boolean> {
  if (await hasBlob(blobs, layer)) return false;
  tell(layer, "downloading", 0);
  const source = counted(repository.download(layer), (doneBytes) =>
    tell(layer, "downloading", doneBytes),
  );
  await blobs.put(source, layer);
  tell(layer, "downloaded", layer.sizeBytes);
  return true;
}

async function hasBlob(blobs: LayerBatch["blobs"], layer: Descriptor): Promise<boolean> {
  if (!(await blobs.has(layer.digest))) return false;
  const sizeBytes = await blobs.size(layer.digest);
  if (sizeBytes === layer.sizeBytes) return true;
  throw new EngineError(
    "DATA_LOSS",
    `Cannot pull "${layer.digest}": it has ${sizeBytes} bytes, the manifest says ${layer.sizeBytes}`,
  );
}

/**
 * What is to be done for a layer whose blob is there: it begins when it is called, and is true when the layer had
 * to be unpacked. After it the blob is known to be the archive of its diff ID.
 */
async function unpackerOf(
  store: Store,
  batch: LayerBatch,
  layer: Descriptor,
  diffIds: readonly DiffId[],
  known: ReadonlySet<string>,
  tell: Tell,
): Promise<() => Promise<boolean>> {
  const diffId = diffIds.at(-1);
  const chainId = chainIds(diffIds).at(-1);
  if (diffId === undefined || chainId === undefined) return async () => false;
  if (await store.layers.has(chainId)) {
    return async () => {
      if (!known.has(pairOf(layer.digest, diffId))) await checkDiffId(batch, layer.digest, diffId);
      return false;
    };
  }
  return () =>
    batch.add({
      diffIds,
      open: () => batch.blobs.stream(layer.digest),
      blob: layer.digest,
      progress: (_, readBytes) => {
        if (readBytes !== undefined) tell(layer, "unpacking", readBytes);
      },
    });
}

/** Blobs that are known to be the archives of diff IDs: those of the images that are in the store. */
async function knownPairs(store: Store): Promise<Set<string>> {
  const images = await store.images();
  return new Set(
    images.flatMap(({ manifest, config }) =>
      manifest.layers.map((layer, n) => pairOf(layer.digest, config.diffIds[n])),
    ),
  );
}

function pairOf(blob: Digest, diffId: DiffId | undefined): string {
  return `${blob} ${diffId ?? ""}`;
}

/** The same bytes, with their number told as they pass. */
export async function* counted(
  source: AsyncIterable<Uint8Array>,
  tell: (doneBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of source) {
    yield chunk;
    doneBytes += chunk.byteLength;
    tell(doneBytes);
  }
}
