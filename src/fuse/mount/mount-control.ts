// Commands to a running mount, given through the mount itself (session/control.ts). Called by any
// process but the one that serves the mount. All throw FsError (EPERM, ENOTCONN, EBUSY…).

import { EngineError } from "../../errors.js";
import { type ByteString, bufferOf, bytesOf, bytesOfBuffer, textOf } from "../../path.js";
import { AT_FDCWD, getxattrAt, setxattrAt, setxattrLater } from "../../sys/index.js";
import {
  CONTROL_NAME,
  FREEZE_NAME,
  RELEASE_NAME,
  RESUME_NAME,
  SETTLED_NAME,
  SHUTDOWN_NAME,
  STATS_NAME,
} from "../session/control.js";
import type { SessionStatistics } from "../session/fuse-session.js";
import { HOLD_NAME } from "../session/holds.js";

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

/**
 * Freezes the upper of a mount as the plan says that lies where its job told. Throws EngineError
 * UNSUPPORTED for a mount that can't.
 */
export function freezeMount(target: string): void {
  if (ask(target, FREEZE_NAME) !== undefined) return;
  const state = "its mount can't freeze its upper layer";
  throw new EngineError("UNSUPPORTED", `Cannot freeze "${target}": ${state}`);
}

/** Ends what holdFile began, for all files of the mount. */
export function releaseMount(target: string): void {
  ask(target, RELEASE_NAME);
}

/** A freeze has been dealt with: what the mount keeps for that is closed. */
export function settleMount(target: string): void {
  ask(target, SETTLED_NAME);
}

/** Keeps everybody from writing a file of a mount by write(2), until releaseMount. Resolves after that. */
export async function holdFile(path: ByteString): Promise<void> {
  await setxattrLater(path, bytesOf(HOLD_NAME));
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
