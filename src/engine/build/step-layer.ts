// From the entries of a layer to the layer: its archive as a blob, and its directory under its chain ID.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { chainIds, type DiffId } from "../../digest.js";
import { type DiffEntry, writeLayer } from "../../layer/index.js";
import type { ScratchDirectory, Store } from "../../store/index.js";
import { clampedTime } from "../../tar/clamp-times.js";
import { pieceName } from "./piece-name.js";
import type { BuiltLayer } from "./stage-state.js";

/** The layer above `diffIds`; undefined when there are no entries. Throws FsError. */
export async function makeLayer(
  store: Store,
  scratch: ScratchDirectory,
  diffIds: readonly DiffId[],
  entries: Iterable<DiffEntry>,
): Promise<BuiltLayer | undefined> {
  const all = nonEmpty(entries);
  if (all === undefined) return undefined;
  const tree = join(scratch.path, pieceName("layer"));
  await mkdir(tree, { mode: 0o755 });
  await using writer = await store.blobs.writer({ digest: "given", sync: "later" });
  const written = await writeLayer(all, (chunk) => writer.write(chunk), tree, {
    ...store.layers.format,
    ...store.layers.implied(chainIds(diffIds)),
  });
  await writer.commit({ digest: written.diffId, sizeBytes: written.sizeBytes });
  await adoptLayer(store, diffIds, written, tree);
  return written;
}

/** Names a finished tree the layer above `diffIds`. */
export async function adoptLayer(
  store: Store,
  diffIds: readonly DiffId[],
  layer: BuiltLayer,
  tree: string,
): Promise<void> {
  const chainId = chainIds([...diffIds, layer.diffId]).at(-1);
  if (chainId === undefined) return;
  await store.layers.adopt({ ...layer, chainId }, tree);
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
