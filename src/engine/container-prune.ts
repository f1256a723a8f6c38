// container prune: removes all containers that are not in use.

import { EngineError } from "../errors.js";
import type { Container, Store } from "../store/index.js";
import { writtenSizeBytes } from "./container-size.js";
import { isPrunable, pruneFilters } from "./image-prune.js";

export interface ContainerPruneRequest {
  /** "until=24h", "label=KEY[=VALUE]", "label!=KEY[=VALUE]". */
  readonly filters?: readonly string[];
}

export interface PrunedContainers {
  readonly removed: readonly Container[];
  /** What was written in them. */
  readonly sizeBytes: number;
}

/** Throws EngineError INVALID_ARGUMENT for a bad filter. */
export async function containerPrune(
  store: Store,
  request: ContainerPruneRequest = {},
): Promise<PrunedContainers> {
  const filters = pruneFilters(request.filters);
  const removed: Container[] = [];
  let sizeBytes = 0;
  for (const container of await store.containers.list()) {
    if (!isPrunable(filters, container.createdAt, new Map())) continue;
    if ((await store.containers.mountState(container.id)) !== undefined) continue;
    const written = writtenSizeBytes(store, container);
    if (!(await removeUnused(store, container))) continue;
    removed.push(container);
    sizeBytes += written;
  }
  return { removed, sizeBytes };
}

/** False when somebody began to use it meanwhile. */
async function removeUnused(store: Store, { id }: Container): Promise<boolean> {
  try {
    await store.containers.remove(id);
    return true;
  } catch (error) {
    if (error instanceof EngineError && error.code === "IN_USE") return false;
    throw error;
  }
}
