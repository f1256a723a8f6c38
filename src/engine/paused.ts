// A container's changes at one moment: while its mount is paused, requests that would change the
// tree wait, readers go on. Should this process die, the mount goes on by itself: it sees that the
// lock on the pause file is free.

import { join } from "node:path";
import { pauseMount, resumeMount } from "../fuse/index.js";
import { type Container, LockFile, type Store } from "../store/index.js";

/** Holds the pause until it is disposed of; does nothing when the container is not mounted. */
export async function paused(store: Store, container: Container): Promise<AsyncDisposable> {
  const mounted = await store.containers.mountState(container.id);
  if (mounted?.state !== "mounted") return { [Symbol.asyncDispose]: async () => undefined };
  const path = join(store.containers.paths(container.id).home, "pause.lock");
  const lock = await new LockFile(path, container.name).acquire("exclusive");
  pauseMount(mounted.target, path);
  return {
    async [Symbol.asyncDispose]() {
      try {
        resumeMount(mounted.target);
      } finally {
        await lock.release();
      }
    },
  };
}
