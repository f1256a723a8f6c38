// What lies in a container's directory besides its layer and its record.

import { join } from "node:path";
import type { Store } from "../../store/index.js";

/** A unix socket, while the container runs. */
export const ATTACH_SOCKET = "attach.sock";
/** What the program wrote. */
export const LOG_FILE = "log.json";

/** What was asked for. */
export const CONFIG_FILE = "config.json";

/** Where the parts of a container that runs lie. */
export interface ContainerPlaces {
  readonly home: string;
  /** What was asked for. */
  readonly config: string;
  readonly log: string;
  /** The mount point of the root. */
  readonly merged: string;
  /** Of the runtime. */
  readonly bundle: string;
  readonly stateDirectory: string;
  /** Volumes of this container alone. */
  readonly volumes: string;
}

export function placesOf(store: Store, id: string): ContainerPlaces {
  const { home, volumes } = store.containers.paths(id);
  return {
    home,
    config: join(home, CONFIG_FILE),
    log: join(home, LOG_FILE),
    merged: join(home, "merged"),
    bundle: join(home, "bundle"),
    stateDirectory: join(home, "runtime"),
    volumes,
  };
}
