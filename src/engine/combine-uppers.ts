// Images of containers that were committed often: other engines refuse images of many layers, so
// frozen uppers that lie one above the other are told as one layer there. The container keeps them as
// they are. What was combined stands beside the topmost of them, and is part of all later images.

import { compareTrees } from "../layer/index.js";
import type { Container, Store, UpperArchive } from "../store/index.js";
import {
  type Archived,
  type ArchiveOptions,
  archiveUppers,
  chainIdOf,
  isUsable,
  saidBy,
} from "./archive-uppers.js";
import { putLayerBlob } from "./layer-blob.js";
import { openUppers } from "./stack.js";

/** docker's layer store takes 125 (moby, layer/layer_store.go, maxLayerDepth); some are left for builds upon the image. */
const MAX_LAYERS = 120;
/** So many commits come before uppers are combined again. */
const ROOM = 50;

/** A layer of an image, and which of the frozen uppers is the first of those that it holds. */
interface Span {
  readonly first: number;
  readonly archive: UpperArchive;
}

/**
 * The frozen uppers of a container as layers of an image that is above its own: each by itself, or fewer where they would be
 * too many. Hold the container's lock, and the store's shared. Throws EngineError, FsError.
 */
export async function archiveLayers(
  store: Store,
  container: Container,
  options: ArchiveOptions,
): Promise<Archived> {
  const known = await knownCombinations(store, container);
  const { archives, plain } = await archiveUppers(store, container, options, known);
  return { archives: await combineUppers(store, container, archives, options), plain };
}

/** What was combined before and is still there, by the number of its first upper; nothing for a container of few. */
async function knownCombinations(
  store: Store,
  { frozen, diffIds, directory }: Container,
): Promise<ReadonlyMap<number, UpperArchive>> {
  const known = new Map<number, UpperArchive>();
  // What a sandbox stands on may have changed since.
  if (directory !== undefined || diffIds.length + frozen.length <= MAX_LAYERS) return known;
  for (let last = frozen.length - 1; last >= 0; ) {
    const combined = await store.uppers.combined(frozen[last] ?? "");
    const isKnown = combined !== undefined && (await isUsable(store, combined));
    last -= isKnown ? (combined.uppers ?? 1) : 1;
    if (isKnown) known.set(last + 1, combined);
  }
  return known;
}

/** `archives`, which are of all frozen uppers, or fewer where they would be too many. The last is as it was. */
async function combineUppers(
  store: Store,
  container: Container,
  archives: readonly UpperArchive[],
  options: ArchiveOptions,
): Promise<readonly UpperArchive[]> {
  const excess = container.diffIds.length + archives.length - MAX_LAYERS;
  const length = Math.min(archives.length - 1, excess + ROOM);
  if (excess <= 0 || length < 2) return archives;
  const spans = spansOf(archives);
  const at = smallestRun(spans.slice(0, -1), length);
  const [from, to] = [spans[at]?.first ?? 0, spans[at + length]?.first ?? 0];
  const below = archives.slice(0, at);
  const combined = await combine(store, container, { from, to, below, options });
  return [...below, combined, ...archives.slice(at + length)];
}

function spansOf(archives: readonly UpperArchive[]): Span[] {
  let first = 0;
  return archives.map((archive) => {
    const span = { first, archive };
    first += archive.uppers ?? 1;
    return span;
  });
}

/** Where the run begins that is the least to write again. */
function smallestRun(spans: readonly Span[], length: number): number {
  const sizes = spans.map(({ archive }) => archive.descriptor.sizeBytes);
  let [best, bestBytes] = [0, Number.POSITIVE_INFINITY];
  for (let at = 0; at + length <= sizes.length; at++) {
    const bytes = sizes.slice(at, at + length).reduce((sum, size) => sum + size, 0);
    if (bytes < bestBytes) [best, bestBytes] = [at, bytes];
  }
  return best;
}

interface Run {
  /** The uppers from this one on, up to the one before `to`. */
  readonly from: number;
  readonly to: number;
  /** The layers below them. */
  readonly below: readonly UpperArchive[];
  readonly options: ArchiveOptions;
}

async function combine(
  store: Store,
  container: Container,
  { from, to, below, options }: Run,
): Promise<UpperArchive> {
  const { frozen } = container;
  const before = await openUppers(store, container, frozen.slice(0, from));
  const after = await openUppers(store, container, frozen.slice(0, to));
  try {
    const blob = await putLayerBlob(store, compareTrees(before.tree(), after.tree()));
    const archive: UpperArchive = {
      ...blob,
      chainId: chainIdOf(container, below, blob.diffId),
      uppers: to - from,
      ...saidBy(options.created === undefined ? {} : { created: options.created }),
    };
    await store.uppers.setCombined(frozen[to - 1] ?? "", archive);
    return archive;
  } finally {
    after.close();
    before.close();
  }
}
