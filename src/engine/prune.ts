// prune: removes what no name and no container needs, and what crashes left behind.

import type { GarbageReport, Store } from "../store/index.js";
import { sweepBuilds } from "./build/index.js";

export interface PruneRequest {
  /** Only say what would go. */
  readonly dryRun?: boolean;
  /** Dangling images, too: those that no name points at. */
  readonly dangling?: boolean;
}

/** Throws EngineError IN_USE when another process keeps the store busy for long. */
export async function prune(store: Store, request: PruneRequest = {}): Promise<GarbageReport> {
  if (request.dryRun !== true) await sweepBuilds(store);
  await using held = await store.lock.acquire("exclusive", { waitMs: 30_000 });
  if (request.dangling === true && request.dryRun !== true) {
    const needed = new Set((await store.containers.list()).map(({ manifest }) => manifest.digest));
    const records = await store.images();
    const parents = new Set(records.map(({ parent }) => parent));
    for (const { id, entries } of records) {
      if (parents.has(id)) for (const digest of entries) needed.add(digest);
    }
    for (const { reference, descriptor } of await store.references.list()) {
      if (reference === undefined && !needed.has(descriptor.digest)) {
        await store.references.deleteImage(descriptor.digest);
      }
    }
  }
  return await store.collectGarbage({ held, ...(request.dryRun === true ? { dryRun: true } : {}) });
}
