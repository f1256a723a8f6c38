// OPENDIR, READDIR, READDIRPLUS, RELEASEDIR. Offsets count in a snapshot of the directory, so
// they mean the same while names come and go.

import { errno, FsError } from "../../errors.js";
import type { DirectoryEntry, Node } from "../../overlay/index.js";
import { ENTRY_BYTES, OUT_HEADER_BYTES, openFlag } from "../wire/protocol.js";
import { direntBytes } from "../wire/reply.js";
import { attrSeconds } from "./attributes.js";
import type { FuseSession } from "./fuse-session.js";
import { MAX_WRITE_BYTES } from "./negotiation.js";
import { OpenDirectory } from "./open-files.js";

export function opendir(session: FuseSession): number {
  const inode = session.inodes.get(session.request.nodeId);
  const directory = session.walkAhead.open(inode.node);
  inode.opens += 1;
  const number = session.files.add(new OpenDirectory(inode, directory));
  // The kernel drops its copy of the listing itself whenever it changes the directory.
  const flags = openFlag.CACHE_DIR | openFlag.KEEP_CACHE;
  return session.reply.openOut(OUT_HEADER_BYTES, number, flags, 0);
}

export function releasedir(session: FuseSession): number {
  const open = session.files.remove(session.request.u64(40));
  if (!(open instanceof OpenDirectory)) throw new FsError(errno.EBADF, "releasedir");
  open.inode.opens -= 1;
  session.inodes.drop(open.inode);
  open.directory.close();
  return 0;
}

/** The entries to go on with, and the index of the first. */
function entriesAt(session: FuseSession): {
  readonly open: OpenDirectory;
  readonly entries: readonly DirectoryEntry[];
  readonly first: number;
  readonly end: number;
} {
  const { request } = session;
  const open = session.files.directory(request.u64(40));
  const first = request.position(48);
  session.attributesAhead.drop();
  if (first === 0 && open.started) open.directory.rewind();
  if (!open.started) open.directory.settle();
  const { entries } = open.directory;
  if (!open.started) session.walkAhead.listed(open.inode.node, entries);
  open.started = true;
  const end = OUT_HEADER_BYTES + Math.min(request.u32(56), MAX_WRITE_BYTES);
  return { open, entries, first, end };
}

export function readdir(session: FuseSession): number {
  const { entries, first, end } = entriesAt(session);
  let offset = OUT_HEADER_BYTES;
  for (let index = first; index < entries.length; index++) {
    const entry = entries[index];
    if (entry === undefined) break;
    const name = session.names.shown(entry.name);
    if (offset + direntBytes(name.length, 0) > end) break;
    offset = session.reply.dirent(offset, entry.ino, index + 1, entry.type, name);
  }
  return offset - OUT_HEADER_BYTES;
}

export function readdirplus(session: FuseSession): number {
  const { open, entries, first, end } = entriesAt(session);
  const { reply } = session;
  let offset = OUT_HEADER_BYTES;
  for (let index = first; index < entries.length; index++) {
    const entry = entries[index];
    if (entry === undefined) break;
    const name = session.names.shown(entry.name);
    if (offset + direntBytes(name.length, ENTRY_BYTES) > end) break;
    writeEntry(session, offset, open.inode.node, entry);
    offset = reply.dirent(offset + ENTRY_BYTES, entry.ino, index + 1, entry.type, name);
  }
  return offset - OUT_HEADER_BYTES;
}

/**
 * The attributes of one name, each counted as a lookup. Node id 0 says that there are none: for
 * "." and "..", which the kernel doesn't take, and for a name that is gone or can't be read.
 */
function writeEntry(
  session: FuseSession,
  offset: number,
  directory: Node,
  entry: DirectoryEntry,
): void {
  const { reply, overlay, inodes } = session;
  if (entry.name !== "." && entry.name !== "..") {
    try {
      const node = overlay.lookupEntry(directory, entry);
      if (node !== undefined) {
        const stat = overlay.stat(node);
        const inode = inodes.current(node);
        inode.lookups += 1;
        reply.entry(offset, inode.nodeId, stat, attrSeconds(inode));
        return;
      }
    } catch (error) {
      // One bad name must not hide the others: whoever uses it gets the error by LOOKUP.
      if (!(error instanceof FsError)) session.log.failure("readdirplus", error);
    }
  }
  reply.clear(offset, offset + ENTRY_BYTES);
}
