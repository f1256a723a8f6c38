// A tree to walk: the read-only view that diff, compare and tests take of anything that has files.
// Views live with what they view: the plain directory in directory-tree.ts, the merged tree in
// overlay/. Nothing here writes.

import type { ByteString, Name } from "../path.js";
import type { Stat } from "../sys/index.js";
import type { LayerFile } from "./layer.js";

/**
 * One file of a tree, by one of its names. All methods throw FsError. What a tree shows must not
 * change while it is walked; a directory that changes under a walk gives a mixture, not a crash.
 */
export interface TreeNode {
  /** The root's name is "". */
  readonly name: Name;
  stat(): Stat;
  /** Of a directory only: sorted by bytes, without whiteouts. */
  children(): TreeNode[];
  /** Of a symlink only. */
  readlink(): ByteString;
  /** All extended attributes that belong to the file (none of the overlay's own marks). */
  xattrs(): ReadonlyMap<ByteString, Uint8Array>;
  /** Of a regular file only: opened for reading; the caller closes it. */
  open(): LayerFile;
  /** Equal keys = one inode with several names; undefined when the file has one name only. */
  hardlinkKey(): string | undefined;
}

/** The name of every root. */
export const ROOT_NAME = "" as Name;

/** A tree in which single names can be looked up, without listing their directories. */
export interface FindableNode extends TreeNode {
  /** Of a directory only: undefined when there is no such name. */
  child(name: Name): FindableNode | undefined;
  children(): FindableNode[];
}
