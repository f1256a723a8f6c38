// start --all: which containers it means. podman's words; docker's daemon does it when it begins.

import type { Store } from "../../store/index.js";
import { filterTest, parsePsFilters } from "./ps-filters.js";
import { viewContainers } from "./view.js";

/**
 * The names of all containers that run programs, or are to, do not now, and match the filters; oldest first.
 * Throws EngineError INVALID_ARGUMENT, NOT_FOUND for a filter.
 */
export async function namesToStart(store: Store, filters: readonly string[]): Promise<string[]> {
  const parsed = parsePsFilters(filters);
  const all = await viewContainers(store);
  const isWanted = await filterTest(store, parsed, all);
  const isDown = ["created", "exited", "dead"];
  return all
    .filter((view) => !view.isLayerOnly && isDown.includes(view.status) && isWanted(view))
    .map(({ container }) => container.name)
    .reverse();
}
