// What immutable and append-only inodes refuse (chattr(1)), as the kernel's VFS refuses it where an
// inode really has the flag. Here it often has not: an upper only records it (layer/inode-flags.ts),
// and taking a lower name away changes nothing below. The passages are those of fs/namei.c and
// fs/attr.c.

import { errno, FsError, isFsError } from "../errors.js";
import type { AttrChange, LayerFile } from "../layer/index.js";
import { textOf } from "../path.js";
import {
  FS_APPEND_FL,
  FS_IMMUTABLE_FL,
  type InodeFlagsForm,
  isRegular,
  O_ACCMODE,
  O_APPEND,
  O_RDONLY,
  O_TRUNC,
  UTIME_NOW,
} from "../sys/index.js";
import { layerOf } from "./layer-of.js";
import type { Node } from "./node.js";
import type { Union } from "./union.js";

const PROTECTED = FS_IMMUTABLE_FL | FS_APPEND_FL;

/** FS_IMMUTABLE_FL and FS_APPEND_FL as far as the inode has them. */
export function protectionOf(union: Union, node: Node): number {
  const real = node.inode.stat.attributes & PROTECTED;
  return real | (union.levelAt(node.slot)?.marks(node.inode).protection ?? 0);
}

function refuse(union: Union, node: Node, forbidden: number, operation: string): void {
  if ((protectionOf(union, node) & forbidden) === 0) return;
  throw new FsError(errno.EPERM, operation, textOf(node.name));
}

/** A name is to be made in the directory (inode_permission). Throws FsError EPERM. */
export function requireAddable(union: Union, directory: Node, operation: string): void {
  refuse(union, directory, FS_IMMUTABLE_FL, operation);
}

/** The name of `node` is to go from the directory (may_delete). Throws FsError EPERM. */
export function requireRemovable(
  union: Union,
  directory: Node,
  node: Node,
  operation: string,
): void {
  refuse(union, directory, PROTECTED, operation);
  refuse(union, node, PROTECTED, operation);
}

/** Another name, an extended attribute (vfs_link, xattr_permission). Throws FsError EPERM. */
export function requireUnprotected(union: Union, node: Node, operation: string): void {
  refuse(union, node, PROTECTED, operation);
}

/** may_setattr, notify_change: what is appended to may be touched, and no more. Throws FsError EPERM. */
export function requireSettable(union: Union, node: Node, change: AttrChange): void {
  const { mode, uid, gid, sizeBytes, atime, mtime } = change;
  const touches = atime?.nsec === UTIME_NOW && mtime?.nsec === UTIME_NOW;
  const onlyTouches = touches && [mode, uid, gid, sizeBytes].every((one) => one === undefined);
  refuse(union, node, onlyTouches ? FS_IMMUTABLE_FL : PROTECTED, "setattr");
}

/**
 * may_open: only regular files have content, and O_APPEND is the only way to write to what is appended
 * to. Throws FsError EISDIR, ENXIO, EPERM.
 */
export function requireOpenable(union: Union, node: Node, flags: number): void {
  if (node.isDirectory) throw new FsError(errno.EISDIR, "open", textOf(node.name));
  if (!isRegular(node.kind)) throw new FsError(errno.ENXIO, "open", textOf(node.name));
  if ((flags & O_ACCMODE) === O_RDONLY && (flags & O_TRUNC) === 0) return;
  const appends = (flags & O_APPEND) !== 0 && (flags & O_TRUNC) === 0;
  refuse(union, node, appends ? FS_IMMUTABLE_FL : PROTECTED, "open");
}

/** The inode's flags. Throws FsError ENOTTY where it has none. */
export function inodeFlags(union: Union, node: Node, form: InodeFlagsForm): Buffer {
  requireFlags(node);
  return layerOf(union, node).inodeFlags(node.inode, form);
}

function requireFlags(node: Node): void {
  if (node.isDirectory || isRegular(node.kind)) return;
  throw new FsError(errno.ENOTTY, "get inode flags", textOf(node.name));
}

/** FS_*_FL that a copy is to have; `open` is the file, if it is open. What can't be asked for here, statx told. */
export function flagsToCopy(union: Union, node: Node, open: LayerFile | undefined): number {
  if (!node.isDirectory && !isRegular(node.kind)) return 0;
  const layer = layerOf(union, node);
  if (!node.isDirectory && open === undefined) {
    const flags = layer.fileFlags?.(node.inode);
    if (flags !== undefined) return flags;
  }
  try {
    return layer.inodeFlags(node.inode, "flags", open).readUInt32LE(0);
  } catch (error) {
    const lacks = [errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.EACCES, errno.EPERM];
    if (!isFsError(error, ...lacks)) throw error;
    return node.inode.stat.attributes & PROTECTED;
  }
}
