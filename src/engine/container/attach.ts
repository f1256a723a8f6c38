// attach: the streams of a container that runs.

import { EngineError } from "../../errors.js";
import type { Container, Store } from "../../store/index.js";
import { readConfig } from "./config-file.js";
import { isRunning, stateOf } from "./present-state.js";
import type { MonitorSession } from "./session.js";
import { connectTo } from "./start.js";

export interface AttachRequest {
  readonly container: string;
  /** Send input, too. */
  readonly input: boolean;
}

export interface AttachedContainer {
  readonly container: Container;
  readonly session: MonitorSession;
  /** Its input and output are a terminal. */
  readonly terminal: boolean;
  /** Its standard input is open. */
  readonly interactive: boolean;
}

/** Throws EngineError NOT_FOUND, IN_USE (it does not run, or is paused). */
export async function attach(store: Store, request: AttachRequest): Promise<AttachedContainer> {
  const container = await store.containers.get(request.container);
  const state = await stateOf(store, container);
  if (state.shown === "paused") {
    throw new EngineError("IN_USE", "You cannot attach to a paused container, unpause it first");
  }
  const { terminal, interactive } = await readConfig(store, container);
  const session = isRunning(state)
    ? await connectTo(store, container, { output: true, input: request.input && interactive })
    : undefined;
  if (session === undefined) {
    throw new EngineError("IN_USE", "You cannot attach to a stopped container, start it first");
  }
  return { container, session, terminal, interactive };
}
