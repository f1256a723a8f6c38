// build prune: forgets what builds remember; then what nothing else needs is garbage.

import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../../node-errors.js";
import { type ListedStep, removeStoreDirectory, type Store } from "../../store/index.js";
import { sweepBuilds } from "./sweep.js";

export interface PruneBuildsRequest {
  /** The directories of RUN --mount=type=cache, too. */
  readonly all?: boolean;
  /** Only what was not used for so long. */
  readonly unusedForMs?: number;
}

export interface PrunedBuilds {
  readonly steps: readonly ListedStep[];
  /** Directories of RUN --mount=type=cache. */
  readonly mounts: number;
  /** Freed by all of it. */
  readonly sizeBytes: number;
}

/** Throws EngineError IN_USE when another process keeps the store busy for long. */
export async function pruneBuilds(
  store: Store,
  request: PruneBuildsRequest = {},
): Promise<PrunedBuilds> {
  await sweepBuilds(store);
  await using held = await store.lock.acquire("exclusive", { waitMs: 30_000 });
  const limit = Date.now() - (request.unusedForMs ?? 0);
  const steps = (await store.buildCache.list()).filter(({ usedAt }) => usedAt.getTime() <= limit);
  for (const { key } of steps) await store.buildCache.delete(key);
  const mounts = request.all === true ? await foldersOf(store.buildCache.mounts) : [];
  let sizeBytes = 0;
  for (const name of mounts) {
    const directory = join(store.buildCache.mounts, name);
    sizeBytes += await sizeOf(directory);
    await removeStoreDirectory(directory);
  }
  if (request.unusedForMs === undefined) await removeStoreDirectory(store.buildCache.contexts);
  const garbage = await store.collectGarbage({ held });
  return { steps, mounts: mounts.length, sizeBytes: sizeBytes + garbage.sizeBytes };
}

async function foldersOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
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
