// pause, unpause: all processes of a container stand still, and go on.

import { EngineError } from "../../errors.js";
import { findRuntime, OciRuntime } from "../../runtime/index.js";
import type { Store } from "../../store/index.js";
import { placesOf } from "./file-names.js";
import { runningContainer } from "./running.js";
import type { ContainerView } from "./view.js";

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT (not running, paused already), UNAVAILABLE. */
export async function pause(store: Store, name: string): Promise<void> {
  const view = await runningContainer(store, name);
  if (view.status === "paused") {
    throw new EngineError("INVALID_ARGUMENT", `Container ${view.container.id} is already paused`);
  }
  await runtimeOf(store, view).pause(view.container.id);
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT (not running, not paused), UNAVAILABLE. */
export async function unpause(store: Store, name: string): Promise<void> {
  const view = await runningContainer(store, name);
  if (view.status !== "paused") {
    throw new EngineError("INVALID_ARGUMENT", `Container ${view.container.id} is not paused`);
  }
  await runtimeOf(store, view).resume(view.container.id);
}

function runtimeOf(store: Store, { container, config }: ContainerView): OciRuntime {
  const { stateDirectory } = placesOf(store, container.id);
  return new OciRuntime(findRuntime(config.runtime), { stateDirectory });
}
