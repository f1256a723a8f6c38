// rename: another name for a container, whatever it does at the moment.

import { EngineError } from "../../errors.js";
import type { Store } from "../../store/index.js";

/** Throws EngineError NOT_FOUND, ALREADY_EXISTS (taken), INVALID_ARGUMENT (no name, or its own). */
export async function rename(store: Store, from: string, to: string): Promise<void> {
  const wanted = to.replace(/^\//, "");
  if (wanted === "") {
    throw new EngineError("INVALID_ARGUMENT", "Neither old nor new names may be empty");
  }
  const container = await store.containers.get(from);
  if (container.name === wanted) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      "Renaming a container with the same name as its current name",
    );
  }
  await store.containers.rename(container, wanted);
}
