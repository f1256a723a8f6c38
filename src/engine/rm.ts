// rm: removes a container with everything that was written in it.

import { EngineError } from "../errors.js";
import type { Store } from "../store/index.js";
import { unmountContainer } from "./unmount.js";

export interface RemoveRequest {
  /** Name, ID or the start of an ID. */
  readonly container: string;
  /** Unmount it first. */
  readonly force?: boolean;
}

/** Throws EngineError NOT_FOUND, IN_USE. With `force` it also removes a container whose record is damaged, by the start of its ID. */
export async function rm(store: Store, request: RemoveRequest): Promise<void> {
  const damaged = request.force === true ? await damagedOne(store, request.container) : undefined;
  if (damaged !== undefined) return await store.containers.remove(damaged);
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
}

/** The only container whose record is damaged and whose ID begins so. */
async function damagedOne(store: Store, start: string): Promise<string | undefined> {
  const ids = [...(await store.containers.damaged()).keys()];
  const [id, second] = ids.filter((each) => start.length >= 4 && each.startsWith(start));
  return second === undefined ? id : undefined;
}
