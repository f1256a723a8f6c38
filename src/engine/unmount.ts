// unmount: ends a container's mount; its changes stay in the container.

import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { EngineError } from "../errors.js";
import { unmount as unmountTarget } from "../fuse/index.js";
import type { Container, Store } from "../store/index.js";

export interface UnmountRequest {
  /** A mount point, or a container's name or ID. */
  readonly target: string;
  /** Take the mount away also while programs use it. */
  readonly lazy?: boolean;
}

/** Throws EngineError NOT_FOUND when nothing of this store is mounted there, IN_USE while programs use it. */
export async function unmount(store: Store, request: UnmountRequest): Promise<Container> {
  const container = await mountedAt(store, request.target);
  await unmountContainer(store, container, { lazy: request.lazy === true });
  return container;
}

/** Unmounts a container wherever it is mounted and waits for its mount process to end. */
export async function unmountContainer(
  store: Store,
  container: Container,
  options: { readonly lazy: boolean; readonly kill?: boolean },
): Promise<void> {
  const mounted = await store.containers.mountState(container.id);
  if (mounted === undefined) return;
  await unmountTarget(mounted.target, { pid: mounted.pid, ...options });
  // Somebody may use it still: then rm -f finds the process by what was recorded.
  if ((await store.containers.mountProcess(container.id)) !== undefined) return;
  await store.containers.clearMounted(container.id);
}

async function mountedAt(store: Store, text: string): Promise<Container> {
  const targets = new Set([resolve(text), await tryRealpath(text)]);
  for (const container of await store.containers.list()) {
    const mounted = await store.containers.mountState(container.id);
    if (mounted !== undefined && targets.has(mounted.target)) return container;
  }
  const named = await tryGet(store, text);
  if (named !== undefined && (await store.containers.mountState(named.id)) !== undefined) {
    return named;
  }
  throw new EngineError("NOT_FOUND", `Cannot unmount "${text}": not mounted`);
}

async function tryGet(store: Store, text: string): Promise<Container | undefined> {
  try {
    return await store.containers.get(text);
  } catch (error) {
    if (error instanceof EngineError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

/** A dead mount point has no real path any more: then the text is all there is. */
async function tryRealpath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (error instanceof Error && "code" in error) return resolve(path);
    throw error;
  }
}
