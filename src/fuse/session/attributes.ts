// LOOKUP, FORGET, GETATTR, STATX, SETATTR, READLINK, STATFS: an inode's name and attributes.

import { errno, FsError } from "../../errors.js";
import type { AttrChange } from "../../layer/layer.js";
import type { Node } from "../../overlay/index.js";
import { isDirectory, S_ISGID, S_ISUID } from "../../sys/index.js";
import { ATTR_OUT_BYTES, attrField, ENTRY_BYTES, OUT_HEADER_BYTES } from "../wire/protocol.js";
import { FOR_EVER_SECONDS } from "../wire/reply.js";
import type { Request } from "../wire/request.js";
import type { FuseSession } from "./fuse-session.js";
import { NO_REPLY } from "./handler.js";
import type { FuseInode } from "./inode-table.js";

const S_IXGRP = 0o010;
const PERMISSIONS = 0o7777;
const UTIME_NOW = 0x3fffffff;

/** How long the kernel may believe the attributes: for ever, as only this mount changes them… */
export function attrSeconds(inode: FuseInode): number {
  // …but a mapping changes times without a message, and a detached inode's file changes under
  // its newer node id.
  return inode.detached || inode.mayBeMapped ? 0 : FOR_EVER_SECONDS;
}

/** Answers with the entry of a node, and counts the lookup that this is to the kernel. */
export function replyEntry(session: FuseSession, node: Node): number {
  const stat = session.overlay.stat(node);
  const inode = session.inodes.current(node);
  inode.lookups += 1;
  session.reply.entry(OUT_HEADER_BYTES, inode.nodeId, stat, attrSeconds(inode));
  return ENTRY_BYTES;
}

export function lookup(session: FuseSession): number {
  const { request, inodes, overlay } = session;
  const parent = inodes.get(request.nodeId);
  const name = request.lastName();
  // EXPORT_SUPPORT: a file handle's inode is looked up by itself (fs/fuse/inode.c, fuse_get_dentry).
  if (name === ".") return replyEntry(session, parent.node);
  const node = overlay.lookup(parent.node, name);
  if (node !== undefined) return replyEntry(session, node);
  session.reply.negativeEntry(OUT_HEADER_BYTES);
  return ENTRY_BYTES;
}

export function forget(session: FuseSession): number {
  const { request, inodes, later } = session;
  const { nodeId } = request;
  const count = request.u64(40);
  // Nobody waits for it, but whoever removes a file has removed the next one soon.
  later.add(() => inodes.forget(nodeId, count));
  return NO_REPLY;
}

export function batchForget(session: FuseSession): number {
  const { request, inodes } = session;
  const count = request.u32(40);
  for (let index = 0; index < count; index++) {
    const at = 48 + 16 * index;
    if (at + 16 > request.lengthBytes) break;
    inodes.forget(request.u64(at), request.u64(at + 8));
  }
  return NO_REPLY;
}

export function getattr(session: FuseSession): number {
  const { overlay } = session;
  const inode = session.inodes.get(session.request.nodeId);
  const stat = session.attributesAhead.take(inode.node) ?? overlay.stat(inode.node);
  return session.reply.attrOut(stat, attrSeconds(inode));
}

export function statx(session: FuseSession): number {
  const inode = session.inodes.get(session.request.nodeId);
  return session.reply.statxOut(session.overlay.stat(inode.node), attrSeconds(inode));
}

export function setattr(session: FuseSession): number {
  const { request, overlay } = session;
  const inode = session.inodes.get(request.nodeId);
  const valid = request.u32(40);
  const change = attrChange(request, valid);
  const kills = valid & attrField.KILL_SUIDGID && change.mode === undefined;
  if (kills && overlay.hasSetIds(inode.node)) {
    const mode = modeWithoutPrivilege(overlay.stat(inode.node).mode);
    if (mode !== undefined) change.mode = mode;
  }
  const stat = overlay.setattr(inode.node, change);
  session.reply.attrOut(stat, attrSeconds(inode));
  return ATTR_OUT_BYTES;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** struct fuse_setattr_in as a change. */
function attrChange(request: Request, valid: number): Mutable<AttrChange> {
  const change: Mutable<AttrChange> = {};
  if (valid & attrField.MODE) change.mode = request.u32(108) & PERMISSIONS;
  if (valid & attrField.UID) change.uid = request.u32(116);
  if (valid & attrField.GID) change.gid = request.u32(120);
  if (valid & attrField.SIZE) change.sizeBytes = request.position(56);
  if (valid & attrField.ATIME) {
    const nsec = valid & attrField.ATIME_NOW ? UTIME_NOW : request.u32(96);
    change.atime = { sec: request.i64(72), nsec };
  }
  if (valid & attrField.MTIME) {
    const nsec = valid & attrField.MTIME_NOW ? UTIME_NOW : request.u32(100);
    change.mtime = { sec: request.i64(80), nsec };
  }
  return change;
}

/**
 * The permissions of a file whose setuid and setgid bits a change of content or owner takes away
 * (setgid without group execution means something else and stays); undefined where nothing is to
 * be taken. This is ours to do, as HANDLE_KILLPRIV_V2 was agreed on.
 */
export function modeWithoutPrivilege(mode: number): number | undefined {
  if (isDirectory(mode)) return undefined;
  let stripped = mode & ~S_ISUID;
  if (mode & S_IXGRP) stripped &= ~S_ISGID;
  return stripped === mode ? undefined : stripped & PERMISSIONS;
}

/** Takes setuid and setgid away as a write by somebody without CAP_FSETID does. */
export function killPrivilege(session: FuseSession, node: Node): void {
  const mode = modeWithoutPrivilege(session.overlay.stat(node).mode);
  if (mode !== undefined) session.overlay.setattr(node, { mode });
}

export function readlink(session: FuseSession): number {
  const inode = session.inodes.get(session.request.nodeId);
  const target = session.overlay.readlink(inode.node);
  // The kernel takes at most a page, less the NUL it adds (fs/fuse/dir.c, fuse_readlink_folio).
  if (target.length > 4095) throw new FsError(errno.ENAMETOOLONG, "readlink");
  return session.reply.buffer.write(target, OUT_HEADER_BYTES, "latin1");
}

export function statfs(session: FuseSession): number {
  return session.reply.statfsOut(session.overlay.statfs());
}
