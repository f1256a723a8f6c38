// readdir, mknod, mkdir, symlink, link, unlink, rmdir, rename: names listed, made, moved, removed.

import { errno, FsError } from "../../errors.js";
import type { NewInode } from "../../layer/index.js";
import {
  fillDirectoryAt,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../../sys/index.js";
import { opcode } from "../wire/protocol.js";
import { decodeDevice } from "../wire/reply.js";
import type { Call } from "./call.js";
import type { NativeSession } from "./native-session.js";
import type { RawRequest } from "./raw-requests.js";

const PERMISSIONS = 0o7777;
/** DT_* of a directory entry are the type bits of a mode. */
const TYPE_SHIFT = 12;

const TYPE_OF_MODE: ReadonlyMap<number, NewInode["type"]> = new Map([
  [0, "file"],
  [S_IFREG, "file"],
  [S_IFCHR, "char"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
  [S_IFSOCK, "socket"],
]);

type Filler = ReturnType<typeof fillDirectoryAt>;
let filler: { readonly address: bigint; readonly fill: Filler } | undefined;

/** libfuse asks once for each opendir or rewinddir, and hands out the listing by itself. */
export function readdir(session: NativeSession, call: Call): number {
  const { filler: address, buffer } = call.listing;
  if (filler?.address !== address) filler = { address, fill: fillDirectoryAt(address) };
  const directory = session.overlay.opendir(session.paths.find(call.path));
  try {
    for (const { name, ino, type } of directory.entries) {
      const shown = session.names.shown(name);
      if (filler.fill(buffer, shown, ino, type << TYPE_SHIFT) !== 0) return -errno.ENOMEM;
    }
    return 0;
  } finally {
    directory.close();
  }
}

/** The kernel has applied the umask. Where the request can't be found it is the mount owner's. */
export function newInode(
  session: NativeSession,
  type: NewInode["type"],
  mode: number,
  request: RawRequest | undefined,
): NewInode {
  const { uid, gid } = request ?? session.options;
  return { type, mode: mode & PERMISSIONS, umask: 0, uid, gid };
}

export function mknod(session: NativeSession, call: Call): number {
  const { directory, name } = session.paths.place(call.path);
  const type = TYPE_OF_MODE.get(call.mode & S_IFMT);
  if (type === undefined) throw new FsError(errno.EINVAL, "mknod");
  const { major, minor } = decodeDevice(call.device);
  const inode = newInode(session, type, call.mode, call.request(opcode.MKNOD));
  session.overlay.mknod(directory, name, { ...inode, rdevMajor: major, rdevMinor: minor });
  return 0;
}

export function mkdir(session: NativeSession, call: Call): number {
  const { directory, name } = session.paths.place(call.path);
  const request = call.request(opcode.MKDIR);
  session.overlay.mkdir(directory, name, newInode(session, "directory", call.mode, request));
  return 0;
}

/** symlink(2): the first path is the text of the link, the second its own name. */
export function symlink(session: NativeSession, call: Call): number {
  const { directory, name } = session.paths.place(call.dest);
  const request = call.request(opcode.SYMLINK);
  const inode = { ...newInode(session, "symlink", 0o777, request), target: call.path };
  session.overlay.mknod(directory, name, inode);
  return 0;
}

export function link(session: NativeSession, call: Call): number {
  const { overlay, paths } = session;
  const node = paths.find(call.path);
  overlay.reference(node);
  try {
    const { directory, name } = paths.place(call.dest);
    overlay.link(node, directory, name);
    // struct fuse_link_in: the inode of the old name, which had no other until now.
    const old = call.request(opcode.LINK)?.body.readBigUInt64LE(0);
    if (old !== undefined) call.notices.attributesChanged(old);
  } finally {
    overlay.forget(node);
  }
  return 0;
}

export function unlink(session: NativeSession, call: Call): number {
  if (session.paths.isHidden(call.path)) return 0;
  const { directory, name } = session.paths.place(call.path);
  session.overlay.unlink(directory, name);
  return 0;
}

export function rmdir(session: NativeSession, call: Call): number {
  const { directory, name } = session.paths.place(call.path);
  session.overlay.rmdir(directory, name);
  session.paths.forgetRemoved();
  return 0;
}

export function rename(session: NativeSession, call: Call): number {
  const { overlay, paths } = session;
  const { path, dest } = call;
  if (paths.isHiding(path, dest)) {
    const isReplaced = call.request(opcode.RENAME) ?? call.request(opcode.RENAME2);
    paths.hide(path, dest, isReplaced !== undefined);
    return 0;
  }
  const from = paths.place(path);
  overlay.reference(from.directory);
  try {
    const to = paths.place(dest);
    overlay.rename(from.directory, from.name, to.directory, to.name);
    // It may have replaced one.
    paths.forgetRemoved();
  } finally {
    overlay.forget(from.directory);
  }
  return 0;
}
