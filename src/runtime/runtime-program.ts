// Which OCI runtime: the one that was asked for, else the first that works with this machine's
// cgroups.

import { existsSync } from "node:fs";
import { basename } from "node:path";
import { EngineError } from "../errors.js";
import { onPath } from "../sys/programs.js";

/** A runtime that is installed. */
export interface RuntimeProgram {
  /** "runc". */
  readonly name: string;
  readonly path: string;
}

/** runc first: it works with every layout of cgroups. */
const KNOWN = ["runc", "crun"] as const;

/** Debian installs runc where an ordinary user's PATH does not lead. */
const SYSTEM_PLACES = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin"];

/**
 * cgroup 1 controllers with cgroup 2 beside them, which crun refuses ("cgroups in hybrid mode not
 * supported").
 */
function hasHybridCgroups(): boolean {
  return existsSync("/sys/fs/cgroup/unified/cgroup.procs");
}

function locate(name: string): string | undefined {
  return onPath(name) ?? SYSTEM_PLACES.map((place) => `${place}/${name}`).find(existsSync);
}

/**
 * The runtime to use. `wanted`: a name or a path. Throws EngineError NOT_FOUND when it is not
 * installed, UNSUPPORTED when none works here.
 */
export function findRuntime(wanted?: string): RuntimeProgram {
  if (wanted !== undefined) return named(wanted);
  for (const name of KNOWN) {
    const path = locate(name);
    if (path !== undefined && !(name === "crun" && hasHybridCgroups())) return { name, path };
  }
  throw locate("crun") === undefined
    ? new EngineError(
        "UNSUPPORTED",
        'Cannot run a container: no OCI runtime is installed; install the Debian package "runc"',
      )
    : new EngineError(
        "UNSUPPORTED",
        'Cannot run a container: crun does not work with hybrid cgroups; install the Debian package "runc"',
      );
}

function named(wanted: string): RuntimeProgram {
  const path = wanted.includes("/") && existsSync(wanted) ? wanted : locate(wanted);
  if (path !== undefined && wanted !== "") return { name: basename(path), path };
  const isPackage = KNOWN.some((name) => name === wanted);
  throw new EngineError(
    "NOT_FOUND",
    `Cannot use runtime "${wanted}": ${isPackage ? `install the Debian package "${wanted}"` : "no such program"}`,
  );
}
