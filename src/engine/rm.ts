// rm: removes a container with everything that was written in it, and with its own volumes.

import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../errors.js";
import { killMountProcess } from "../fuse/index.js";
import { readContainerState } from "../store/container-state.js";
import type { Container, Store } from "../store/index.js";
import { placesOf } from "./container/file-names.js";
import { presentState } from "./container/present-state.js";
import { stop } from "./container/stop.js";
import { requireApplied } from "./sandbox/journal.js";
import { unmountContainer } from "./unmount.js";

const END_WAIT_MS = 10_000;
const END_POLL_MS = 10;
/** Who else works on it is told so, soon. */
const REMOVE_WAIT_MS = 2000;

export interface RemoveRequest {
  /** Name, ID or the start of an ID. */
  readonly container: string;
  /** Kill it, or unmount it, first. */
  readonly force?: boolean;
}

/** Throws EngineError NOT_FOUND, IN_USE. With `force` it also removes a container whose record is damaged, by the start of its ID. */
export async function rm(store: Store, request: RemoveRequest): Promise<void> {
  const damaged = request.force === true ? await damagedOne(store, request.container) : undefined;
  if (damaged !== undefined) return await store.containers.remove(damaged);
  const container = await store.containers.get(request.container);
  if (request.force !== true) await requireApplied(store, container, "remove");
  const state = await presentState(store, container);
  if (state === undefined) return;
  if (state.monitorAlive) {
    if (request.force !== true) throw running(container);
    // Where it is removed by itself, the work is done.
    if (await endForGood(store, container)) return;
  }
  const mounted = await store.containers.mountState(container.id);
  if (mounted !== undefined) {
    if (request.force !== true) {
      throw new EngineError(
        "IN_USE",
        `Cannot remove container "${request.container}": it is mounted on ${mounted.target}; unmount it first or force removal`,
      );
    }
    await unmountContainer(store, container, { lazy: true, kill: true });
  }
  if (request.force === true) await endServing(store, container);
  await removeWhenFree(store, container);
}

/** A mount that is out of the tree, but in another mount namespace or in use: what it serves is to be removed. */
async function endServing(store: Store, { id }: Container): Promise<void> {
  const pid = await store.containers.mountProcess(id);
  if (pid !== undefined) await killMountProcess(pid);
}

/** The only container whose record is damaged and whose ID begins so. */
async function damagedOne(store: Store, start: string): Promise<string | undefined> {
  const ids = [...(await store.containers.damaged()).keys()];
  const [id, second] = ids.filter((each) => start.length >= 4 && each.startsWith(start));
  return second === undefined ? id : undefined;
}

function running({ id }: Container): EngineError {
  return new EngineError(
    "IN_USE",
    `You cannot remove a running container ${id}. Stop the container before attempting removal or force remove`,
  );
}

/** True when the container is gone (`--rm`). */
async function endForGood(store: Store, container: Container): Promise<boolean> {
  const { home } = placesOf(store, container.id);
  const stopping = stop(store, { container: container.id, timeoutSeconds: 0, signal: "KILL" });
  const patience = new AbortController();
  await Promise.race([
    stopping,
    sleep(END_WAIT_MS, undefined, { signal: patience.signal }).catch(ignoreAbort),
  ]);
  // Its monitor has told of the end and is about to end itself; one that hangs is ended.
  for (let waited = 0; waited < END_WAIT_MS; waited += END_POLL_MS) {
    if (!(await readContainerState(home)).monitorAlive) break;
    await sleep(END_POLL_MS);
  }
  const { monitor, monitorAlive } = await readContainerState(home);
  if (monitorAlive && monitor !== undefined) process.kill(monitor.pid, "SIGKILL");
  await stopping;
  patience.abort();
  return (await presentState(store, container)) === undefined;
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === "AbortError")) throw error;
}

/** A mount process that was asked to end holds the upper until it has. */
async function removeWhenFree(store: Store, { id }: Container): Promise<void> {
  for (let waited = 0; ; waited += END_POLL_MS) {
    try {
      await store.containers.remove(id);
      return;
    } catch (error) {
      const isBusy = error instanceof EngineError && error.code === "IN_USE";
      if (!isBusy || waited >= REMOVE_WAIT_MS) throw error;
    }
    await sleep(END_POLL_MS);
  }
}
