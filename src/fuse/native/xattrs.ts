// getxattr, listxattr, setxattr, removexattr, and the control of the mount through its root
// (session/control.ts has the names).

import { Buffer } from "node:buffer";
import { errno } from "../../errors.js";
import { type ByteString, bytesOfBuffer, textOf } from "../../path.js";
import { ACCESS_ACL } from "../../sys/index.js";
import { answerCommand, CONTROL_NAME, type Commands, isControlName } from "../session/control.js";
import { freezeByPlan } from "../session/freeze.js";
import { LABEL_NAME } from "../session/labels.js";
import { opcode } from "../wire/protocol.js";
import type { Call } from "./call.js";
import type { NativeSession } from "./native-session.js";
import type { RawRequest } from "./raw-requests.js";

/** The command that this attribute of the root is; undefined for an ordinary attribute. */
function commandOf(call: Call): string | undefined {
  return call.path === "/" && isControlName(call.xattrName) ? call.xattrName : undefined;
}

/** For root and the mount's owner; for nobody where the caller can't be found out. */
function isAllowed(session: NativeSession, caller: RawRequest | undefined): boolean {
  return caller !== undefined && (caller.uid === 0 || caller.uid === session.options.uid);
}

export function getxattr(session: NativeSession, call: Call): number {
  const command = commandOf(call);
  const room = call.lent;
  let value: Buffer | undefined;
  if (command === undefined) {
    value = session.overlay.getxattr(session.paths.find(call.path), call.xattrName);
    if (call.xattrName === LABEL_NAME) {
      if (value === undefined) return -missingLabel(session, call);
      session.labels.found();
    }
  } else if (isAllowed(session, call.request(opcode.GETXATTR))) {
    // A call without room asks for the value's size only.
    value = answerCommand(commandsOf(session), command, room.length === 0);
  }
  return value === undefined ? -errno.ENODATA : put(room, value);
}

/** The errno of it; where the caller can't be found out it is as for anybody. */
function missingLabel(session: NativeSession, call: Call): number {
  return session.labels.missing(call.request(opcode.GETXATTR)?.pid ?? 0);
}

function commandsOf(session: NativeSession): Commands {
  const { freezer } = session.options;
  // Everything is written through us: nothing has to move, and nothing is held.
  const none = (): { moved: never[] } => ({ moved: [] });
  return {
    statistics: () => session.statistics(),
    resume: () => session.endPause(),
    shutdown: () => session.options.onShutdown(),
    ...(freezer === undefined
      ? {}
      : { freeze: () => freezeByPlan(session.overlay, freezer, [], none) }),
    settled: () => undefined,
  };
}

function put(room: Buffer, value: Buffer): number {
  if (room.length === 0) return value.length;
  if (value.length > room.length) return -errno.ERANGE;
  value.copy(room);
  return value.length;
}

/** trusted.* is shown to root only (xattr(7)), and where the caller can't be found out. */
export function listxattr(session: NativeSession, call: Call): number {
  const all = session.overlay.listxattr(session.paths.find(call.path));
  if (all.includes(LABEL_NAME)) session.labels.found();
  const { uid } = call.request(opcode.LISTXATTR) ?? { uid: 0 };
  const names = uid === 0 ? all : all.filter((name) => !name.startsWith("trusted."));
  return put(call.lent, Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1"));
}

export function setxattr(session: NativeSession, call: Call): number {
  const command = commandOf(call);
  if (command !== undefined) return pause(session, call, bytesOfBuffer(call.lent));
  const node = session.paths.find(call.path);
  // Memory that is lent: what keeps the value copies it.
  session.overlay.setxattr(node, call.xattrName, Buffer.from(call.lent), call.xattrFlags);
  if (call.xattrName === LABEL_NAME) session.labels.found();
  modeChanged(call, opcode.SETXATTR);
  return 0;
}

/** An ACL is the mode, too, and without POSIX_ACL the kernel does not know that. */
function modeChanged(call: Call, code: number): void {
  if (call.xattrName !== ACCESS_ACL) return;
  const request = call.request(code);
  if (request !== undefined) call.notices.attributesChanged(request.nodeId);
}

function pause(session: NativeSession, call: Call, value: ByteString): number {
  if (call.xattrName !== CONTROL_NAME) return -errno.EPERM;
  if (!isAllowed(session, call.request(opcode.SETXATTR))) return -errno.EPERM;
  const [verb, ...rest] = textOf(value).split(" ");
  const path = rest.join(" ");
  if (verb !== "pause" || !path.startsWith("/")) return -errno.EINVAL;
  if (session.isPaused) return -errno.EBUSY;
  session.beginPause(path);
  return 0;
}

/** Commands of control never wait. */
export function setxattrChanges(_session: NativeSession, call: Call): boolean {
  return commandOf(call) === undefined;
}

export function removexattr(session: NativeSession, call: Call): number {
  if (commandOf(call) !== undefined) return -errno.EPERM;
  session.overlay.removexattr(session.paths.find(call.path), call.xattrName);
  modeChanged(call, opcode.REMOVEXATTR);
  return 0;
}
