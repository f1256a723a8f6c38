// container prune: removes all containers that are not in use.

import { EngineError } from "../errors.js";
import type { Container, Store } from "../store/index.js";
import { ps } from "./container/ps.js";
import { isInUse } from "./disk-usage.js";
import { isPrunable, pruneFilters } from "./image-prune.js";
import { rm } from "./rm.js";

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
  for (const { view, labels, sizes } of await ps(store, { all: true, sizes: true })) {
    const { container } = view;
    const known = new Map(Object.entries(labels));
    if (isInUse(view) || !isPrunable(filters, container.createdAt, known)) continue;
    if (!(await removeUnused(store, container))) continue;
    removed.push(container);
    sizeBytes += sizes?.writtenBytes ?? 0;
  }
  return { removed, sizeBytes };
}

/** False when somebody began to use it meanwhile, or removed it. */
async function removeUnused(store: Store, { id }: Container): Promise<boolean> {
  try {
    await rm(store, { container: id });
    return true;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (error.code === "IN_USE" || error.code === "NOT_FOUND") return false;
    throw error;
  }
}
