// start: has a container's program run, under a monitor of its own.

import type { Socket } from "node:net";
import { EngineError } from "../../errors.js";
import { readContainerState } from "../../store/container-state.js";
import type { Container, Store } from "../../store/index.js";
import { readConfig } from "./config-file.js";
import { placesOf } from "./file-names.js";
import { STARTER_FD, startMonitor } from "./launch.js";
import type { MonitorJob } from "./monitor-job.js";
import { withPoints } from "./mount-points.js";
import { prepareStart, type StartOptions } from "./prepare-start.js";
import { stateOf } from "./present-state.js";
import { MonitorSession } from "./session.js";

const LOCK_WAIT_MS = 30_000;

/** A container that runs, and the connection to it. */
export interface StartedContainer {
  readonly container: Container;
  /** Of the container's first process. */
  readonly pid: number;
  /** undefined when it was running already. */
  readonly session: MonitorSession | undefined;
}

const UNATTACHED: StartOptions = { attach: { output: false, input: false } };

/**
 * Starts a container by name or ID; nothing happens to one that runs. Resolves when the program
 * runs. Throws StartError (what `docker run` ends with is in its `exitStatus`), EngineError NOT_FOUND,
 * IN_USE (it is mounted), INVALID_ARGUMENT, UNSUPPORTED; then it is as before.
 */
export async function start(
  store: Store,
  name: string,
  options: StartOptions = UNATTACHED,
): Promise<StartedContainer> {
  const container = await store.containers.get(name);
  // Ends what a killed monitor left; that needs the lock.
  await stateOf(store, container);
  const launched = await launchUnderLock(store, container, options);
  if (launched.kind === "running") return { container, pid: launched.pid, session: undefined };
  if (launched.kind === "started") {
    return { container, pid: launched.pid, session: launched.session };
  }
  // With --rm it is gone when the monitor is.
  await launched.session.exited;
  throw launched.error;
}

type Launched =
  | { readonly kind: "running"; readonly pid: number }
  | { readonly kind: "started"; readonly pid: number; readonly session: MonitorSession }
  | { readonly kind: "failed"; readonly error: unknown; readonly session: MonitorSession };

async function launchUnderLock(
  store: Store,
  container: Container,
  options: StartOptions,
): Promise<Launched> {
  await using _lock = await store.containers
    .lock(container.id)
    .acquire("exclusive", { waitMs: LOCK_WAIT_MS });
  const state = await readContainerState(placesOf(store, container.id).home);
  if (state.monitorAlive) return { kind: "running", pid: state.process?.pid ?? 0 };
  await refuseMounted(store, container);
  const config = await readConfig(store, container);
  const whole = await withPoints(store, container, config);
  const job = await prepareStart(store, whole, config, options);
  const session = await launch(job, whole);
  try {
    const { pid } = await session.started;
    return { kind: "started", pid, session };
  } catch (error) {
    return { kind: "failed", error, session };
  }
}

async function refuseMounted(store: Store, container: Container): Promise<void> {
  const mounted = await store.containers.mountState(container.id);
  if (mounted === undefined) return;
  throw new EngineError(
    "IN_USE",
    `Cannot start container "${container.name}": it is mounted on ${mounted.target}; unmount it first`,
  );
}

/** The monitor goes on when this process ends. */
async function launch(job: MonitorJob, container: Container): Promise<MonitorSession> {
  const { stdio } = await startMonitor(job.home, job.mount);
  return MonitorSession.begin(stdio[STARTER_FD] as unknown as Socket, job, container.name);
}

/** For verbs that speak with a running container. Throws EngineError NOT_FOUND. */
export async function connectTo(
  store: Store,
  container: Container,
  attach: StartOptions["attach"],
): Promise<MonitorSession | undefined> {
  return await MonitorSession.connect(placesOf(store, container.id).home, attach, container.name);
}
