// Where a command about a container has to be: the mount of one that an ordinary user runs is seen, and
// let in, only from its own namespaces, and what it writes there has that namespace's ids.

import { existsSync } from "node:fs";
import { EngineError } from "../../errors.js";
import { hasCode } from "../../node-errors.js";
import type { Store } from "../../store/index.js";
import { isInOtherUserNamespace } from "../../sys/index.js";
import { placesOf } from "./file-names.js";

/** Here; in new namespaces; or in those of a process. */
export type CommandPlace = "here" | "new" | { readonly pid: number };

/** What does not exist is for the command itself to tell. */
export async function placeForContainer(store: Store, name: string): Promise<CommandPlace> {
  try {
    const { id } = await store.containers.get(name);
    const mounted = await store.containers.mountState(id);
    // Made by mount, it is a writable layer and no more.
    if (mounted === undefined) return existsSync(placesOf(store, id).config) ? "new" : "here";
    if (mounted.state === "dead" || !isInOtherUserNamespace(mounted.pid)) return "here";
    return { pid: mounted.pid };
  } catch (error) {
    if (error instanceof EngineError || hasCode(error, "ENOENT", "EACCES")) return "here";
    throw error;
  }
}
