// Control of a mount through its own root: reserved extended attributes, for root and the mount's
// owner only, never listed. So commands are ordered with all other requests and need no lock.
// The other side is mount/mount-control.ts; holding back requests is pause.ts's.

import { Buffer } from "node:buffer";
import { errno } from "../../errors.js";
import { type ByteString, textOf } from "../../path.js";
import { freezeSession } from "./freeze.js";
import type { FuseSession } from "./fuse-session.js";

/** Names of the root that are ours; a file system's own attributes of these names are hidden. */
const RESERVED = "user.strata.";
/** Set to "pause LOCKFILE": the one command with an operand. */
export const CONTROL_NAME = `${RESERVED}control`;
/** Read: the session's counters, as JSON. */
export const STATS_NAME = `${RESERVED}stats`;
/**
 * Read: does the command, and answers "ok". Reading and not setting, as setting takes the root's
 * lock in the kernel, which a creation that is held back has; and a read-only mount refuses it.
 */
export const RESUME_NAME = `${RESERVED}resume`;
export const SHUTDOWN_NAME = `${RESERVED}shutdown`;
/** Carries the plan of a freeze out (freeze.ts). */
export const FREEZE_NAME = `${RESERVED}freeze`;
/** Lets go of all files that are held (holds.ts). */
export const RELEASE_NAME = `${RESERVED}release`;
/** The last freeze has been dealt with: closes the files that moved, and lets go of those that are held. */
export const SETTLED_NAME = `${RESERVED}settled`;

export function isControlName(name: string): boolean {
  return name.startsWith(RESERVED);
}

/** Root or the mount's owner asks. */
export function isAllowed(session: FuseSession): boolean {
  const { uid } = session.request;
  return uid === 0 || uid === session.options.ownerUid;
}

/** The value of a reserved attribute; undefined for those who may not read it. */
export function answerControl(session: FuseSession, name: string): Buffer | undefined {
  if (!isAllowed(session)) return undefined;
  // The first call asks for the value's size only, and does nothing else.
  const asked = session.request.u32(40) === 0;
  switch (name) {
    case STATS_NAME:
      return Buffer.from(JSON.stringify(session.statistics()));
    case RESUME_NAME:
      if (!asked) session.pause.end();
      return Buffer.from("ok");
    case SHUTDOWN_NAME:
      if (!asked) session.options.onShutdown();
      return Buffer.from("ok");
    case FREEZE_NAME: {
      const { freezer } = session.options;
      if (freezer === undefined) return undefined;
      if (!asked) freezeSession(session, freezer);
      return Buffer.from("ok");
    }
    case RELEASE_NAME:
    case SETTLED_NAME:
      if (!asked) release(session);
      if (!asked && name === SETTLED_NAME) session.moved.close();
      return Buffer.from("ok");
    default:
      return undefined;
  }
}

/** Does a command. All requests before it are done: it is answered after them. */
export function control(session: FuseSession, name: string, value: ByteString): number {
  if (name !== CONTROL_NAME || !isAllowed(session)) return -errno.EPERM;
  const [command, ...rest] = textOf(value).split(" ");
  const path = rest.join(" ");
  if (command !== "pause" || !path.startsWith("/")) return -errno.EINVAL;
  if (session.pause.isPaused) return -errno.EBUSY;
  session.pause.begin(session.slow.watchLock(path));
  return 0;
}

function release(session: FuseSession): void {
  for (const { low, high } of session.holds.release()) session.send(low, high, 0, 0);
}
