// GETXATTR, LISTXATTR, SETXATTR, REMOVEXATTR, POSIX ACLs among them (they are attributes to us).
// The reserved names on the root are control.ts's.

import { Buffer } from "node:buffer";
import { errno } from "../../errors.js";
import type { ByteString } from "../../path.js";
import { S_ISGID } from "../../sys/index.js";
import { OUT_HEADER_BYTES, ROOT_NODE_ID, SETXATTR_ACL_KILL_SGID } from "../wire/protocol.js";
import { answerControl, control, isAllowed, isControlName } from "./control.js";
import type { FuseSession } from "./fuse-session.js";
import { NO_REPLY } from "./handler.js";
import { HOLD_NAME } from "./holds.js";
import { LABEL_NAME } from "./labels.js";

export function getxattr(session: FuseSession): number {
  const { request, overlay } = session;
  const inode = session.inodes.get(request.nodeId);
  const name = request.text(48);
  const value =
    request.nodeId === ROOT_NODE_ID && isControlName(name)
      ? answerControl(session, name)
      : overlay.getxattr(inode.node, name);
  if (name === LABEL_NAME) {
    if (value === undefined) return -session.labels.missing(request.pid);
    session.labels.found();
  }
  return value === undefined ? -errno.ENODATA : replyBytes(session, value);
}

/**
 * trusted.* is shown to root only (xattr(7)); the kernel checks reading it, but not listing it.
 * Whether the caller really has CAP_SYS_ADMIN cannot be seen here: its uid has to do.
 */
export function listxattr(session: FuseSession): number {
  const { request, overlay } = session;
  const inode = session.inodes.get(request.nodeId);
  const all = overlay.listxattr(inode.node);
  if (all.includes(LABEL_NAME)) session.labels.found();
  const names = request.uid === 0 ? all : all.filter((name) => !name.startsWith("trusted."));
  const list = names.map((name) => `${name}\0`).join("");
  return replyBytes(session, Buffer.from(list, "latin1"));
}

/** The value, or its size where the caller has no room yet (getxattr(2) with size 0). */
function replyBytes(session: FuseSession, value: Uint8Array): number {
  const { request, reply } = session;
  const room = request.u32(40);
  if (room === 0) {
    reply.u32(OUT_HEADER_BYTES, value.length);
    reply.u32(OUT_HEADER_BYTES + 4, 0);
    return 8;
  }
  if (value.length > room) return -errno.ERANGE;
  reply.buffer.set(value, OUT_HEADER_BYTES);
  return value.length;
}

export function setxattr(session: FuseSession): number {
  const { request, overlay } = session;
  const inode = session.inodes.get(request.nodeId);
  const extended = session.agreement?.setxattrExtended === true;
  const nameStart = extended ? 56 : 48;
  const name = request.text(nameStart);
  const valueStart = request.endOfText(nameStart) + 1;
  const valueEnd = Math.min(valueStart + request.u32(40), request.lengthBytes);
  const value = request.buffer.subarray(valueStart, valueEnd);
  if (request.nodeId === ROOT_NODE_ID && isControlName(name)) {
    return control(session, name, value.toString("latin1") as ByteString);
  }
  if (name === HOLD_NAME) {
    if (!session.moved.isOpen || !isAllowed(session)) return -errno.EPERM;
    session.holds.hold(request);
    return NO_REPLY;
  }
  overlay.setxattr(inode.node, name, value, request.u32(44));
  if (name === LABEL_NAME) session.labels.found();
  if (extended && request.u32(48) & SETXATTR_ACL_KILL_SGID) {
    const { mode } = overlay.stat(inode.node);
    if (mode & S_ISGID) overlay.setattr(inode.node, { mode: mode & 0o7777 & ~S_ISGID });
  }
  return 0;
}

export function removexattr(session: FuseSession): number {
  const { request, overlay } = session;
  const inode = session.inodes.get(request.nodeId);
  const name = request.lastText();
  if (request.nodeId === ROOT_NODE_ID && isControlName(name)) return -errno.EPERM;
  overlay.removexattr(inode.node, name);
  return 0;
}
