// OPEN, CREATE, TMPFILE, RELEASE: which way an open file is served. Passthrough for writing and
// for what passthrough-choice.ts says, else the page cache; the rules between them are in README.md.

import { assert } from "../../assert.js";
import { errno, FsError } from "../../errors.js";
import type { Handle, Node } from "../../overlay/index.js";
import {
  O_ACCMODE,
  O_APPEND,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  S_IFREG,
  type Stat,
} from "../../sys/index.js";
import {
  ENTRY_BYTES,
  OPEN_BYTES,
  OPEN_KILL_SUIDGID,
  OUT_HEADER_BYTES,
  openFlag,
} from "../wire/protocol.js";
import { attrSeconds, killPrivilege } from "./attributes.js";
import { giveContent } from "./content-gift.js";
import type { FuseSession } from "./fuse-session.js";
import type { FuseInode } from "./inode-table.js";
import { newInode } from "./names.js";
import { OpenFile } from "./open-files.js";
import { wantsPassthrough } from "./passthrough-choice.js";

const PERMISSIONS = 0o7777;

function writesWith(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0;
}

/**
 * The flags for the file below: where and how it is written comes with each request, so O_APPEND,
 * O_SYNC and O_DIRECT are the kernel's matter. It does not know what may only be appended to.
 */
function flagsBelow(flags: number, appendOnly = false): number {
  return flags & (O_ACCMODE | O_TRUNC | (appendOnly ? O_APPEND : 0));
}

export function open(session: FuseSession): number {
  const { request, inodes } = session;
  const inode = inodes.get(request.nodeId);
  const flags = request.u32(40);
  if (mustLookUpAgain(session, inode, writesWith(flags))) return -errno.ESTALE;
  const handle = writesWith(flags)
    ? openForWriting(session, inode, flags, request.u32(44))
    : undefined;
  return replyOpen(session, OUT_HEADER_BYTES, inode, flags, handle);
}

/**
 * True where this inode is, or is to stay, the lower file as it was, while the caller must get the
 * upper one: an inode can't have two backing files. After ESTALE the kernel looks the path up
 * again, once (fs/namei.c, path_openat with LOOKUP_REVAL), and finds the node under a new id.
 */
function mustLookUpAgain(session: FuseSession, inode: FuseInode, writes: boolean): boolean {
  const { inodes, overlay } = session;
  if (inode.opens === 0) return inode.detached && !inodes.attach(inode);
  if (inode.detached) return true;
  const lower = inode.backing !== undefined && !inode.backing.upper;
  if (!lower || !(writes || overlay.dataPlace(inode.node) !== "lower")) return false;
  inodes.detach(inode);
  session.notifyAttributesChanged(inode.nodeId);
  return true;
}

function openForWriting(
  session: FuseSession,
  inode: FuseInode,
  flags: number,
  openFlags: number,
): Handle {
  const { overlay } = session;
  const below = flagsBelow(flags, overlay.isAppendOnly(inode.node));
  const handle = overlay.open(inode.node, below);
  // A file already served by passthrough is written without our knowing: what the first write of
  // somebody other than root takes away is taken away now.
  const unseen = inode.mode === "passthrough" && session.request.uid !== 0;
  if (unseen || openFlags & OPEN_KILL_SUIDGID) killPrivilege(session, inode.node);
  return handle;
}

/** Takes the open into the tables and answers it. Closes `handle` when that fails. `stat`: where it is known. */
function replyOpen(
  session: FuseSession,
  offset: number,
  inode: FuseInode,
  flags: number,
  handle: Handle | undefined,
  stat?: Stat,
): number {
  const file = new OpenFile(inode, handle, (flags & O_APPEND) !== 0);
  try {
    if (inode.opens === 0) chooseMode(session, inode, file, writesWith(flags), stat);
    const kernelFlags = openFlagsOf(inode);
    if (inode.backing !== undefined && writesWith(flags)) {
      noteWritesAround(session, inode, flags);
    }
    if (inode.mode === "cached") giveContent(session, inode, flags);
    inode.wasOpened = true;
    inode.opens += 1;
    const number = session.files.add(file);
    return session.reply.openOut(offset, number, kernelFlags, inode.backing?.id ?? 0);
  } catch (error) {
    file.opened?.close();
    session.inodes.drop(inode);
    throw error;
  }
}

/** Decides how all opens of this inode are served until the last is closed. */
function chooseMode(
  session: FuseSession,
  inode: FuseInode,
  file: OpenFile,
  writes: boolean,
  stat: Stat | undefined,
): void {
  inode.mode = "cached";
  if (!session.passthrough.enabled) return;
  if (!wantsPassthrough(session, inode.node, writes, stat)) return;
  inode.backing = session.passthrough.register(inode, file.handle(session.overlay));
  if (inode.backing !== undefined) inode.mode = "passthrough";
}

function openFlagsOf(inode: FuseInode): number {
  if (inode.mode === "passthrough") return openFlag.PASSTHROUGH;
  if (inode.cacheValid) return openFlag.KEEP_CACHE | openFlag.NOFLUSH;
  // Without KEEP_CACHE the kernel drops the pages now; what it reads from here on holds.
  inode.cacheValid = true;
  return openFlag.NOFLUSH;
}

/** An open for writing by passthrough: what it makes untrue of what the kernel remembers. */
function noteWritesAround(session: FuseSession, inode: FuseInode, flags: number): void {
  // The trap of passthrough: the kernel would write into the layer (native-notes/passthrough.md).
  assert(inode.backing?.upper === true, "only files of the upper are written by passthrough");
  inode.cacheValid = false;
  if ((flags & O_ACCMODE) !== O_RDWR) return;
  session.writers.note(inode);
  if (inode.mayBeMapped) return;
  inode.mayBeMapped = true;
  session.notifyAttributesChanged(inode.nodeId);
}

export function create(session: FuseSession): number {
  const { request, overlay } = session;
  const parent = session.inodes.get(request.nodeId);
  const flags = request.u32(40);
  const inode = newInode(session, S_IFREG | (request.u32(44) & PERMISSIONS), request.u32(48));
  const made = overlay.create(parent.node, request.name(56), inode, flagsBelow(flags));
  return replyCreated(session, made, flags);
}

export function tmpfile(session: FuseSession): number {
  const { request, overlay } = session;
  const parent = session.inodes.get(request.nodeId);
  const flags = request.u32(40);
  const inode = newInode(session, S_IFREG | (request.u32(44) & PERMISSIONS), request.u32(48));
  return replyCreated(session, overlay.tmpfile(parent.node, inode, flagsBelow(flags)), flags);
}

function replyCreated(
  session: FuseSession,
  made: { readonly node: Node; readonly handle: Handle },
  flags: number,
): number {
  const inode = session.inodes.current(made.node);
  // The open comes first: it can change how long the attributes may be believed.
  const openOffset = OUT_HEADER_BYTES + ENTRY_BYTES;
  const stat = session.overlay.stat(made.node);
  replyOpen(session, openOffset, inode, flags, made.handle, stat);
  inode.lookups += 1;
  session.reply.entry(OUT_HEADER_BYTES, inode.nodeId, stat, attrSeconds(inode));
  return ENTRY_BYTES + OPEN_BYTES;
}

export function release(session: FuseSession): number {
  const file = session.files.remove(session.request.u64(40));
  if (!(file instanceof OpenFile)) throw new FsError(errno.EBADF, "release");
  closeFile(session, file);
  return 0;
}

/**
 * Takes an open file out of its inode's count; the last one ends the inode's mode. The file below is closed
 * later: nobody waits for a RELEASE, but mostly the next request comes at once.
 */
export function closeFile(session: FuseSession, file: OpenFile): void {
  const { inode } = file;
  session.directReads.forget(file);
  inode.opens -= 1;
  const backing = inode.opens === 0 ? inode.backing : undefined;
  if (inode.opens === 0) {
    inode.backing = undefined;
    inode.mode = "none";
    session.inodes.drop(inode);
  }
  if (file.opened === undefined && backing === undefined) return;
  session.later.add(() => {
    try {
      file.opened?.close();
    } finally {
      if (backing !== undefined) session.passthrough.release(backing);
    }
  });
}
