// MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME, RENAME2: names made, moved and removed.

import { errno, FsError } from "../../errors.js";
import type { NewInode } from "../../layer/layer.js";
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../../sys/index.js";
import { decodeDevice } from "../wire/reply.js";
import { replyEntry } from "./attributes.js";
import type { FuseSession } from "./fuse-session.js";

const PERMISSIONS = 0o7777;

const TYPE_OF_MODE: ReadonlyMap<number, NewInode["type"]> = new Map([
  [0, "file"],
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "char"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
  [S_IFSOCK, "socket"],
]);

/** A new inode of the request's caller. `mode` may have a type, which decides over `fallback`. */
export function newInode(session: FuseSession, mode: number, umask: number): NewInode {
  const type = TYPE_OF_MODE.get(mode & S_IFMT);
  if (type === undefined) throw new FsError(errno.EINVAL, "create inode");
  const { uid, gid } = session.request;
  return { type, mode: mode & PERMISSIONS, umask, uid, gid };
}

export function mknod(session: FuseSession): number {
  const { request } = session;
  const parent = session.inodes.get(request.nodeId);
  const device = decodeDevice(request.u32(44));
  const inode = {
    ...newInode(session, request.u32(40), request.u32(48)),
    rdevMajor: device.major,
    rdevMinor: device.minor,
  };
  return replyEntry(session, session.overlay.mknod(parent.node, request.name(56), inode));
}

export function mkdir(session: FuseSession): number {
  const { request } = session;
  const parent = session.inodes.get(request.nodeId);
  const inode = newInode(session, S_IFDIR | (request.u32(40) & PERMISSIONS), request.u32(44));
  return replyEntry(session, session.overlay.mkdir(parent.node, request.name(48), inode));
}

export function symlink(session: FuseSession): number {
  const { request } = session;
  const parent = session.inodes.get(request.nodeId);
  const name = request.name(40);
  const target = request.text(request.endOfText(40) + 1);
  const inode = { ...newInode(session, S_IFLNK | 0o777, 0), target };
  return replyEntry(session, session.overlay.mknod(parent.node, name, inode));
}

export function link(session: FuseSession): number {
  const { request } = session;
  const directory = session.inodes.get(request.nodeId);
  const source = session.inodes.get(request.u64(40));
  return replyEntry(session, session.overlay.link(source.node, directory.node, request.name(48)));
}

export function unlink(session: FuseSession): number {
  const { request, inodes } = session;
  const directory = inodes.get(request.nodeId);
  const name = request.lastName();
  inodes.wakeName(directory, name);
  session.overlay.unlink(directory.node, name);
  session.attributesAhead.removed(directory.node);
  return 0;
}

export function rmdir(session: FuseSession): number {
  const { request } = session;
  const { node } = session.inodes.get(request.nodeId);
  session.overlay.rmdir(node, request.lastName());
  session.attributesAhead.removed(node);
  return 0;
}

export function rename(session: FuseSession): number {
  return renameWith(session, 48, 0);
}

export function rename2(session: FuseSession): number {
  return renameWith(session, 56, session.request.u32(48));
}

/** Both names lie one after the other at `start`. */
function renameWith(session: FuseSession, start: number, flags: number): number {
  const { request, inodes } = session;
  const from = inodes.get(request.nodeId);
  const to = inodes.get(request.u64(40));
  const oldName = request.name(start);
  const newName = request.name(request.endOfText(start) + 1);
  const { uid, gid } = request;
  inodes.wakeName(from, oldName);
  inodes.wakeName(to, newName);
  session.overlay.rename(from.node, oldName, to.node, newName, flags, { uid, gid });
  return 0;
}
