// From the entries of a layer to the layer: its archive as a blob, and its directory under its chain ID.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { assert } from "../../assert.js";
import { type ChainId, chainIds, type DiffId } from "../../digest.js";
import { type DiffEntry, writeLayer } from "../../layer/index.js";
import type { IncomingBlobs, LayerStore, ScratchDirectory, Store } from "../../store/index.js";
import { clampedTime } from "../../tar/clamp-times.js";
import { pieceName } from "./piece-name.js";
import type { BuiltLayer } from "./stage-state.js";

/** The layer above `diffIds`, durable; undefined when there are no entries. Throws FsError. */
export async function makeLayer(
  store: Store,
  scratch: ScratchDirectory,
  diffIds: readonly DiffId[],
  entries: Iterable<DiffEntry>,
): Promise<BuiltLayer | undefined> {
  const all = nonEmpty(entries);
  if (all === undefined) return undefined;
  await using blobs = store.layers.incoming();
  const place = { layers: store.layers, scratch, chain: chainIds(diffIds), blobs };
  const { layer, tree } = await writeTree(place, all);
  const chainId = chainIdAbove(diffIds, layer.diffId);
  await store.layers.adopt([{ layer: { ...layer, chainId }, tree, blobs }]);
  return layer;
}

/** Where a layer is made that has no name yet. */
export interface LayerPlace {
  readonly layers: LayerStore;
  readonly scratch: ScratchDirectory;
  /** What is below, base first. */
  readonly chain: readonly ChainId[];
  readonly blobs: IncomingBlobs;
}

/** A layer in its blob and in a tree, neither of which has a name yet. Throws FsError. */
export async function writeTree(
  { layers, scratch, chain, blobs }: LayerPlace,
  entries: Iterable<DiffEntry>,
): Promise<{ readonly layer: BuiltLayer; readonly tree: string }> {
  const tree = join(scratch.path, pieceName("layer"));
  await mkdir(tree, { mode: 0o755 });
  await using writer = await blobs.writer({ digest: "given" });
  const { diffId, sizeBytes } = await writeLayer(entries, (chunk) => writer.write(chunk), tree, {
    ...layers.format,
    ...layers.implied(chain),
  });
  await writer.commit({ digest: diffId, sizeBytes });
  return { layer: { diffId, sizeBytes }, tree };
}

/** The chain ID of a layer above others. */
export function chainIdAbove(diffIds: readonly DiffId[], diffId: DiffId): ChainId {
  const chainId = chainIds([...diffIds, diffId]).at(-1);
  assert(chainId !== undefined, "a layer has a chain ID");
  return chainId;
}

/** The same entries, unless there are none. */
export function nonEmpty(entries: Iterable<DiffEntry>): Iterable<DiffEntry> | undefined {
  const iterator = entries[Symbol.iterator]();
  const first = iterator.next();
  if (first.done === true) return undefined;
  return (function* () {
    yield first.value;
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) yield next.value;
  })();
}

/** No file of the layer is newer than `latestSec`; all stay as they are when that is undefined. */
export function* clampEntries(
  entries: Iterable<DiffEntry>,
  latestSec: number | undefined,
): Generator<DiffEntry> {
  for (const entry of entries) {
    if (latestSec === undefined || entry.kind !== "entry") yield entry;
    else yield { ...entry, stat: { ...entry.stat, ...clampedTime(entry.stat, latestSec) } };
  }
}
