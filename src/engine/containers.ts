// containers: the writable layers of a store and where each is mounted now.

import type { Container, MountState, Store } from "../store/index.js";

export interface ContainerLine {
  readonly container: Container;
  readonly mount: MountState | undefined;
}

/** Newest first; the mounts are what the kernel shows, not what was recorded. */
export async function containers(store: Store): Promise<ContainerLine[]> {
  const all = await store.containers.list();
  return Promise.all(
    all.map(async (container) => ({
      container,
      mount: await store.containers.mountState(container.id),
    })),
  );
}
