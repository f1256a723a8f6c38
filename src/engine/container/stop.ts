// stop, kill, restart, wait: ending a container's program, and learning how it ended.

import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../../errors.js";
import { findRuntime, OciRuntime } from "../../runtime/index.js";
import type { Container, Store } from "../../store/index.js";
import { signalNumber } from "../../sys/index.js";
import { readConfig } from "./config-file.js";
import { placesOf } from "./file-names.js";
import { imageDefaults } from "./prepare-start.js";
import { isRunning, type PresentState, presentState, stateOf } from "./present-state.js";
import type { MonitorSession } from "./session.js";
import { connectTo, start } from "./start.js";

const { SIGKILL, SIGTERM } = constants.signals;
const DEFAULT_TIMEOUT_SECONDS = 10;
const UNATTACHED = { output: false, input: false };

export interface StopRequest {
  readonly container: string;
  /** Until it is killed; -1: never. The container's own, else 10. */
  readonly timeoutSeconds?: number;
  /** Sent first; the container's own, the image's, else SIGTERM. */
  readonly signal?: string;
}

/** Nothing happens to a container that does not run. Throws EngineError NOT_FOUND, INVALID_ARGUMENT. */
export async function stop(store: Store, request: StopRequest): Promise<Container> {
  const container = await store.containers.get(request.container);
  const state = await stateOf(store, container);
  const session = await sessionOf(store, container, state);
  if (session === undefined) return container;
  const config = await readConfig(store, container);
  const word = request.signal ?? config.stopSignal ?? imageDefaults(config).stopSignal;
  const seconds = request.timeoutSeconds ?? config.stopTimeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
  session.signal(signalOf(word), true);
  await thaw(store, container, state, config.runtime);
  if (!(await endsWithin(session, seconds))) {
    session.signal(SIGKILL, true);
    await session.exited;
  }
  await presentState(store, container);
  return container;
}

export interface KillRequest {
  readonly container: string;
  /** SIGKILL if absent. */
  readonly signal?: string;
}

/** Waits for the end only after SIGKILL. Throws EngineError NOT_FOUND, IN_USE (it does not run), INVALID_ARGUMENT. */
export async function kill(store: Store, request: KillRequest): Promise<Container> {
  const signal = signalOf(request.signal ?? "KILL");
  const container = await store.containers.get(request.container);
  const state = await stateOf(store, container);
  const session = await sessionOf(store, container, state);
  if (session === undefined) {
    throw new EngineError(
      "IN_USE",
      `Cannot kill container "${request.container}": container ${container.id} is not running`,
    );
  }
  const config = await readConfig(store, container);
  const isFinal = signal === SIGKILL || signal === ownSignal(config.stopSignal);
  session.signal(signal, isFinal);
  if (signal === SIGKILL) {
    await thaw(store, container, state, config.runtime);
    await session.exited;
    await presentState(store, container);
  } else {
    await session.flushed();
  }
  return container;
}

/** stop and start. */
export async function restart(store: Store, request: StopRequest): Promise<Container> {
  const container = await stop(store, request);
  const { session } = await start(store, container.id);
  session?.detach();
  return container;
}

/** The exit code once it does not run; at once where it never ran. Throws EngineError NOT_FOUND. */
export async function wait(store: Store, name: string): Promise<number> {
  const container = await store.containers.get(name);
  const state = await stateOf(store, container);
  const session = await sessionOf(store, container, state);
  if (session === undefined) return state.exitCode;
  return await exitCodeOf(store, container, session);
}

/** How a session's container ended; the state tells where the monitor was killed. */
export async function exitCodeOf(
  store: Store,
  container: Container,
  session: { readonly exited: Promise<number | undefined> },
): Promise<number> {
  const known = await session.exited;
  if (known !== undefined) return known;
  const state = await presentState(store, container);
  return state === undefined ? 128 + SIGKILL : state.exitCode;
}

/** undefined when there is nothing to end: it does not run, nor will it by itself. */
async function sessionOf(
  store: Store,
  container: Container,
  state: PresentState,
): Promise<MonitorSession | undefined> {
  if (!isRunning(state) && state.shown !== "restarting") return undefined;
  return await connectTo(store, container, UNATTACHED);
}

function ownSignal(word: string | undefined): number {
  return signalNumber(word ?? "TERM") ?? SIGTERM;
}

/** Throws EngineError INVALID_ARGUMENT. */
function signalOf(word: string | undefined): number {
  const number = signalNumber(word ?? "TERM");
  if (number !== undefined) return number;
  throw new EngineError("INVALID_ARGUMENT", `Invalid signal: ${word ?? ""}`);
}

/** What is frozen hears no signal. */
async function thaw(
  store: Store,
  container: Container,
  state: PresentState,
  wanted: string | undefined,
): Promise<void> {
  if (state.shown !== "paused") return;
  const { stateDirectory } = placesOf(store, container.id);
  await new OciRuntime(findRuntime(wanted), { stateDirectory }).resume(container.id);
}

async function endsWithin(session: MonitorSession, seconds: number): Promise<boolean> {
  if (seconds < 0) return await session.exited.then(() => true);
  const timer = new AbortController();
  const late = sleep(seconds * 1000, false, { signal: timer.signal }).catch(() => false);
  const isOver = await Promise.race([session.exited.then(() => true), late]);
  timer.abort();
  return isOver;
}
