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

/** What the commands do; one that a session does not have is no attribute of its root. */
export interface Commands {
  readonly statistics: () => object;
  readonly resume: () => void;
  readonly shutdown: () => void;
  readonly freeze?: () => void;
  readonly release?: () => void;
  readonly settled: () => void;
}

/**
 * The value of a reserved attribute, read by somebody who may: what it commands is done, unless only
 * the value's size is `asked` for. undefined for no command.
 */
export function answerCommand(
  commands: Commands,
  name: string,
  asked: boolean,
): Buffer | undefined {
  if (name === STATS_NAME) return Buffer.from(JSON.stringify(commands.statistics()));
  const command = commandOf(commands, name);
  if (command === undefined) return undefined;
  if (!asked) command();
  return Buffer.from("ok");
}

function commandOf(commands: Commands, name: string): (() => void) | undefined {
  switch (name) {
    case RESUME_NAME:
      return commands.resume;
    case SHUTDOWN_NAME:
      return commands.shutdown;
    case FREEZE_NAME:
      return commands.freeze;
    case RELEASE_NAME:
      return commands.release;
    case SETTLED_NAME:
      return commands.settled;
    default:
      return undefined;
  }
}

/** The value of a reserved attribute; undefined for those who may not read it. */
export function answerControl(session: FuseSession, name: string): Buffer | undefined {
  if (!isAllowed(session)) return undefined;
  const { freezer } = session.options;
  const commands: Commands = {
    statistics: () => {
      // What was forgotten is not counted.
      session.later.doAll();
      return session.statistics();
    },
    resume: () => session.pause.end(),
    shutdown: () => session.options.onShutdown(),
    ...(freezer === undefined ? {} : { freeze: () => freezeSession(session, freezer) }),
    release: () => release(session),
    settled: () => {
      release(session);
      session.moved.close();
    },
  };
  // The first call asks for the value's size only.
  return answerCommand(commands, name, session.request.u32(40) === 0);
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
