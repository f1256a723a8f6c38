// Commands that need a container which runs, and docker's words where it does not.

import { EngineError } from "../../errors.js";
import type { Store } from "../../store/index.js";
import { type ContainerView, viewContainer } from "./view.js";

/** The container, running or paused. Throws EngineError NOT_FOUND, INVALID_ARGUMENT, IN_USE. */
export async function runningContainer(store: Store, name: string): Promise<ContainerView> {
  const view = await viewContainer(store, await store.containers.get(name));
  if (view.pid !== 0) return view;
  if (view.status === "restarting") {
    throw new EngineError(
      "IN_USE",
      `Container ${view.container.id} is restarting, wait until the container is running`,
    );
  }
  throw new EngineError("INVALID_ARGUMENT", `Container ${view.container.id} is not running`);
}
