// image prune: removes images that nobody uses, by docker's rules.
// https://github.com/moby/moby (daemon/images/image_prune.go)

import { EngineError } from "../errors.js";
import { familiarReference } from "../oci/index.js";
import type { HeldLock, ImageRecord, Store } from "../store/index.js";
import { type Filters, matchesLabels, parseFilters, parseTime } from "./filters.js";
import { ImageRemoval, type RemovedImage } from "./rmi.js";

export interface ImagePruneRequest {
  /** All images that no container stands on, not only those without a name. */
  readonly all?: boolean;
  /** "until=24h", "label=KEY[=VALUE]", "label!=KEY[=VALUE]". */
  readonly filters?: readonly string[];
}

/** `sizeBytes`: what was given back, of blobs and of unpacked layers. */
export interface PrunedImages extends RemovedImage {
  readonly sizeBytes: number;
}

const FILTERS = ["until", "label", "label!"];
const WAIT_MS = 30_000;

/** Throws EngineError INVALID_ARGUMENT for a bad filter; IN_USE when another process keeps the store busy for long. */
export async function imagePrune(
  store: Store,
  request: ImagePruneRequest = {},
): Promise<PrunedImages> {
  const filters = pruneFilters(request.filters);
  await using held = await store.lock.acquire("exclusive", { waitMs: WAIT_MS });
  return await pruneImages(store, held, request.all === true, filters);
}

/** The filters of prune commands. Throws EngineError INVALID_ARGUMENT. */
export function pruneFilters(texts: readonly string[] = []): Filters {
  const filters = parseFilters(texts, FILTERS);
  const [until, second] = filters.get("until") ?? [];
  if (second !== undefined) {
    throw new EngineError("INVALID_ARGUMENT", "more than one until filter specified");
  }
  if (until !== undefined) parseTime(until);
  return filters;
}

/** True for what is old enough and has the labels. */
export function isPrunable(
  filters: Filters,
  created: Date | undefined,
  labels: ReadonlyMap<string, string>,
): boolean {
  const [until] = filters.get("until") ?? [];
  if (until !== undefined && (created === undefined || created > parseTime(until))) return false;
  const unwanted = filters.get("label!");
  if (unwanted !== undefined && matchesLabels(unwanted, labels)) return false;
  return matchesLabels(filters.get("label"), labels);
}

async function pruneImages(
  store: Store,
  held: HeldLock,
  all: boolean,
  filters: Filters,
): Promise<PrunedImages> {
  const records = await store.images();
  const parents = new Set(records.map(({ parent }) => parent));
  const removal = new ImageRemoval(store);
  for (const record of records) {
    const isInner = record.references.length === 0 && parents.has(record.id);
    if (isInner || !isPrunable(filters, record.created, record.config.run.labels)) continue;
    if (!all && record.references.some(({ digest }) => digest === undefined)) continue;
    await removeUnused(removal, record);
  }
  const { untagged, deleted } = removal;
  if (deleted.length === 0) return { untagged, deleted, sizeBytes: 0 };
  const { removed } = await store.collectGarbage({ held });
  const sizeBytes = removed
    .filter(({ kind }) => kind !== "temporary")
    .reduce((sum, item) => sum + item.sizeBytes, 0);
  return { untagged, deleted, sizeBytes };
}

/** By each of its names, as docker does; what a container stands on stays. */
async function removeUnused(removal: ImageRemoval, record: ImageRecord): Promise<void> {
  const names =
    record.references.length === 0 ? [record.id] : record.references.map(familiarReference);
  for (const image of names) {
    try {
      await removal.remove({ image });
    } catch (error) {
      // NOT_FOUND: it went as the untagged parent of another one.
      const stays =
        error instanceof EngineError && (error.code === "IN_USE" || error.code === "NOT_FOUND");
      if (!stays) throw error;
    }
  }
}
