// Commands to a running mount, given through the mount itself (session/control.ts). Called by any
// process but the one that serves the mount. All throw FsError (EPERM, ENOTCONN, EBUSY…).

import { bufferOf, bytesOf, bytesOfBuffer, textOf } from "../../path.js";
import { AT_FDCWD, getxattrAt, setxattrAt } from "../../sys/index.js";
import { CONTROL_NAME, RESUME_NAME, SHUTDOWN_NAME, STATS_NAME } from "../session/control.js";
import type { SessionStatistics } from "../session/fuse-session.js";

/**
 * Holds back everything that would change the upper layer, until resumeMount, or until nobody
 * holds the flock(2) on `lockPath` exclusively any more: so the caller takes that lock first.
 * Writes through files that were open for writing by passthrough before are not held back.
 */
export function pauseMount(target: string, lockPath: string): void {
  const command = bufferOf(bytesOf(`pause ${lockPath}`));
  setxattrAt(AT_FDCWD, bytesOf(target), bytesOf(CONTROL_NAME), command, 0);
}

/** Lets go on what pauseMount held back. */
export function resumeMount(target: string): void {
  ask(target, RESUME_NAME);
}

/** As SIGTERM to the mount process: out of the tree at once, gone with the last user. */
export function shutdownMount(target: string): void {
  ask(target, SHUTDOWN_NAME);
}

function ask(target: string, name: string): Buffer | undefined {
  return getxattrAt(AT_FDCWD, bytesOf(target), bytesOf(name));
}

/** The session's counters; undefined where they can't be had. */
export function mountStatistics(target: string): SessionStatistics | undefined {
  const value = ask(target, STATS_NAME);
  if (value === undefined) return undefined;
  return JSON.parse(textOf(bytesOfBuffer(value))) as SessionStatistics;
}
