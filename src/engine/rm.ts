// rm: removes a container with everything that was written in it.

import { EngineError } from "../errors.js";
import type { Container, Store } from "../store/index.js";
import { unmountContainer } from "./unmount.js";

export interface RemoveRequest {
  /** Name, ID or the start of an ID. */
  readonly container: string;
  /** Unmount it first. */
  readonly force?: boolean;
}

/** Throws EngineError NOT_FOUND, IN_USE. */
export async function rm(store: Store, request: RemoveRequest): Promise<Container> {
  const container = await store.containers.get(request.container);
  const mounted = await store.containers.mountState(container.id);
  if (mounted !== undefined) {
    if (request.force !== true) {
      throw new EngineError(
        "IN_USE",
        `Cannot remove container "${request.container}": it is mounted on ${mounted.target}; unmount it first or force removal`,
      );
    }
    await unmountContainer(store, container, { lazy: true });
  }
  await store.containers.remove(container.id);
  return container;
}
