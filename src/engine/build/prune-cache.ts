// build prune: forgets what builds remember; then what nothing else needs is garbage.

import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  type ListedStep,
  namesIn,
  neededBy,
  removeStoreDirectory,
  type Store,
} from "../../store/index.js";
import { parseTime } from "../filters.js";
import { pruneFilters } from "../image-prune.js";
import { sweepBuilds } from "./sweep.js";

export interface PruneBuildsRequest {
  /** Also steps whose layers images have, and the directories of RUN --mount=type=cache. */
  readonly all?: boolean;
  /** "until=24h": only what was not used since. With labels nothing goes: what builds remember has none. */
  readonly filters?: readonly string[];
}

export interface PrunedBuilds {
  readonly steps: readonly ListedStep[];
  /** Directories of RUN --mount=type=cache. */
  readonly mounts: number;
  /** Freed by all of it. */
  readonly sizeBytes: number;
}

const NOTHING: PrunedBuilds = { steps: [], mounts: 0, sizeBytes: 0 };

/** Throws EngineError INVALID_ARGUMENT for a bad filter, IN_USE when another process keeps the store busy for long. */
export async function pruneBuilds(
  store: Store,
  request: PruneBuildsRequest = {},
): Promise<PrunedBuilds> {
  const filters = pruneFilters(request.filters);
  if (filters.has("label") || filters.has("label!")) return NOTHING;
  await sweepBuilds(store);
  await using held = await store.lock.acquire("exclusive", { waitMs: 30_000 });
  const [until] = filters.get("until") ?? [];
  const limit = until === undefined ? new Date() : parseTime(until);
  const known = await store.buildCache.list();
  const kept = request.all === true ? new Set<string>() : await sharedSteps(store, known);
  const steps = known.filter(({ key, usedAt }) => !kept.has(key) && usedAt <= limit);
  for (const { key } of steps) await store.buildCache.delete(key);
  const mounts =
    request.all === true && until === undefined ? await namesIn(store.buildCache.mounts) : [];
  let sizeBytes = 0;
  for (const name of mounts) {
    const directory = join(store.buildCache.mounts, name);
    sizeBytes += await sizeOf(directory);
    await removeStoreDirectory(directory);
  }
  if (until === undefined) await removeStoreDirectory(store.buildCache.contexts);
  const garbage = await store.collectGarbage({ held });
  return { steps, mounts: mounts.length, sizeBytes: sizeBytes + garbage.sizeBytes };
}

/** Steps that only tell what an image holds anyway: they take no room, and docker keeps them as well. */
async function sharedSteps(store: Store, steps: readonly ListedStep[]): Promise<Set<string>> {
  const { layers } = await neededBy(store, "images");
  const shared = steps.filter(({ layer }) => layer !== undefined && layers.has(layer.chainId));
  const keys = new Set(shared.map(({ key }) => key));
  const aliases = steps.filter(({ alias }) => alias !== undefined && keys.has(alias));
  return new Set([...keys, ...aliases.map(({ key }) => key)]);
}

/** What the files of a tree hold, names that are not UTF-8 left out. */
async function sizeOf(directory: string): Promise<number> {
  let sizeBytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) sizeBytes += await sizeOf(path);
    else if (entry.isFile()) sizeBytes += (await lstat(path)).size;
  }
  return sizeBytes;
}
