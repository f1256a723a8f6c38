// How a container is now. What its monitor wrote is believed while the monitor lives; where it was
// killed, whoever asks first ends what is left and writes down how it ended.

import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../../errors.js";
import { findMount, findMountProcess, unmount } from "../../fuse/index.js";
import { cgroupsOf, isFrozen } from "../../runtime/cgroup.js";
import { findRuntime, OciRuntime } from "../../runtime/index.js";
import {
  type ContainerState,
  type ContainerStatus,
  isAlive,
  readContainerState,
  writeContainerState,
} from "../../store/container-state.js";
import type { Container, Store } from "../../store/index.js";
import { readConfig } from "./config-file.js";
import { placesOf } from "./file-names.js";

/** docker's words for what `ps` shows. */
export type ShownStatus = ContainerStatus | "paused";

export interface PresentState extends ContainerState {
  readonly shown: ShownStatus;
}

/** docker's exit code of what was killed. */
const KILLED_STATUS = 137;
const LOCK_WAIT_MS = 30_000;
const END_WAIT_MS = 10_000;
const END_POLL_MS = 10;

/**
 * The state, made true first. undefined when that removed the container (`--rm`). Throws EngineError
 * DATA_LOSS, IN_USE (another process has been working on it for long).
 */
export async function presentState(
  store: Store,
  container: Container,
): Promise<PresentState | undefined> {
  const { home } = placesOf(store, container.id);
  let state = await readContainerState(home);
  if (isAbandoned(state)) {
    const isThere = await settle(store, container);
    if (!isThere) return undefined;
    state = await readContainerState(home);
  }
  // A container without a state has never run; one without a directory has been removed since.
  if (!existsSync(home)) return undefined;
  return { ...state, shown: shownStatus(state) };
}

/** As presentState, for callers to whom a container that is gone is an error. Throws NOT_FOUND too. */
export async function stateOf(store: Store, container: Container): Promise<PresentState> {
  const state = await presentState(store, container);
  if (state !== undefined) return state;
  throw new EngineError("NOT_FOUND", `Cannot find "${container.name}": no such container`);
}

/** True while its program runs, frozen or not. */
export function isRunning(state: PresentState): boolean {
  return state.shown === "running" || state.shown === "paused";
}

function shownStatus(state: ContainerState): ShownStatus {
  if (state.status !== "running" || !state.processAlive) return state.status;
  const cgroups = cgroupsOf(state.process?.pid ?? 0);
  return cgroups !== undefined && isFrozen(cgroups) ? "paused" : "running";
}

/** Somebody served it, and did not live to write how it ended. */
function isAbandoned(state: ContainerState): boolean {
  return state.monitor !== undefined && !state.monitorAlive;
}

/** False when the container is gone. */
async function settle(store: Store, container: Container): Promise<boolean> {
  const { id } = container;
  const { home, merged } = placesOf(store, id);
  const config = await readConfig(store, container);
  {
    await using _lock = await store.containers
      .lock(id)
      .acquire("exclusive", { waitMs: LOCK_WAIT_MS });
    const state = await readContainerState(home);
    if (!isAbandoned(state)) return true;
    await endProcesses(store, container, state, config.runtime);
    await endMount(merged);
    await store.containers.clearMounted(id);
    const { monitor: _, process: __, processAlive: _p, monitorAlive: _m, ...rest } = state;
    const hasEnded = state.finishedAt !== undefined && state.finishedAt >= (state.startedAt ?? 0);
    const wasStarted = state.status === "running" || state.status === "restarting";
    await writeContainerState(`${store.root}/tmp`, home, {
      ...rest,
      ...(wasStarted
        ? {
            status: "exited",
            exitCode: hasEnded ? state.exitCode : KILLED_STATUS,
            finishedAt: hasEnded ? state.finishedAt : new Date(),
          }
        : {}),
    });
  }
  if (!config.autoRemove) return true;
  await store.containers.remove(id);
  return false;
}

async function endProcesses(
  store: Store,
  container: Container,
  state: ContainerState,
  wanted: string | undefined,
): Promise<void> {
  const { stateDirectory } = placesOf(store, container.id);
  const runtime = new OciRuntime(findRuntime(wanted), { stateDirectory });
  if ((await runtime.state(container.id)) !== undefined) {
    await runtime.delete(container.id, { force: true });
  }
  const { process: first } = state;
  if (first === undefined || !(await isAlive(first))) return;
  process.kill(first.pid, "SIGKILL");
  for (let waited = 0; waited < END_WAIT_MS && (await isAlive(first)); waited += END_POLL_MS) {
    await sleep(END_POLL_MS);
  }
}

/** The mount, and a mount process that nobody recorded or that has not mounted yet. */
async function endMount(merged: string): Promise<void> {
  if (findMount(merged) !== undefined) await unmount(merged, { lazy: true, kill: true });
  const pid = findMountProcess(merged);
  if (pid === undefined) return;
  process.kill(pid, "SIGKILL");
  for (let waited = 0; waited < END_WAIT_MS; waited += END_POLL_MS) {
    if (findMountProcess(merged) === undefined) break;
    await sleep(END_POLL_MS);
  }
  // Killed between mounting and being asked.
  if (findMount(merged) !== undefined) await unmount(merged, { lazy: true });
}
