// The node: one merged inode as the union knows it, and the parts of layers it is made of.
// Data and the two or three rules that keep it whole; finding nodes is node-table.ts, changing
// them is done by the steps of the mutations.

import type { LayerNode } from "../layer/index.js";
import type { ByteString, Name } from "../path.js";
import { S_IFDIR, S_IFMT } from "../sys/index.js";

/** An inode of the layer in `slot`. Slots count from the base (0) up; the upper has the last one. */
export interface Part {
  readonly slot: number;
  readonly inode: LayerNode;
  /** Of a file whose data lie further below, wholly or but for its own blocks: where they are. */
  readonly data?: Part | undefined;
}

/** A directory of the merged tree: its topmost part, and the parts that merge with it, topmost first. */
export interface Merged extends Part {
  readonly lower: readonly Part[];
}

/** Nothing merges with it: every file, and directories of one layer. */
export const NO_PARTS: readonly Part[] = [];

/** One name of a node. */
export interface NodeName {
  readonly parent: Node;
  readonly name: Name;
}

/**
 * One inode of the merged tree; all its names (hard links) give the same node. Whoever keeps one
 * across operations references it (Overlay.reference). Its inode number never changes.
 */
export class Node implements Merged {
  /** S_IFMT bits of the mode: the type never changes. */
  readonly kind: number;
  /** The st_ino that is shown. */
  readonly ino: bigint;
  /** The topmost part: where attributes and data are now. Copy-up moves it to the upper. */
  slot: number;
  inode: LayerNode;
  lower: readonly Part[];
  /**
   * The upper part's mark `redirect`: where in the lower layers `lower`, or `data`, was found. Of a
   * node that is not in the upper it means nothing (redirectIn).
   */
  redirect: ByteString | undefined = undefined;
  /** Of an upper file with the mark `metacopy`: where its data are, but for its own blocks. */
  data: Part | undefined = undefined;
  /** Of an open file without known names: the redirect it would need to have one again, in that upper. */
  lastRedirect: { readonly path: ByteString; readonly upperSlot: number } | undefined = undefined;
  /** Counts up whenever the data are to be found elsewhere: open files look for them again. */
  dataVersion = 0;
  /** One of its names; undefined for the root and for what has no name (any more). */
  parent: Node | undefined = undefined;
  name: Name = "" as Name;
  /** Known names besides that one. */
  more: NodeName[] | undefined = undefined;
  /** Directories: the children that are in the table. */
  children: Map<Name, Node> | undefined;
  /** The key in the hard-link index, of a lower inode with several names (hard-links.ts). */
  linkKey: ByteString | undefined = undefined;
  /** How many of those names still show from the lower layer. */
  lowerNames = 0;
  /** Keys under which the table finds it by its inode: files with several names. */
  tableKeys: ByteString[] | undefined = undefined;
  /** Removed from the tree: a directory for ever, a file until it is linked again. */
  unlinked = false;
  /** Known to have no CAPABILITY: none was there when it was made or asked for, and nobody has set one since. */
  lacksCapability = false;
  references = 0;
  /** What whoever shows the tree has of this node; a field, because a table of all nodes costs each of them a hash. */
  shownAs: object | undefined = undefined;

  constructor(
    kind: number,
    ino: bigint,
    slot: number,
    inode: LayerNode,
    lower: readonly Part[] = NO_PARTS,
  ) {
    this.kind = kind & S_IFMT;
    this.ino = ino;
    this.slot = slot;
    this.inode = inode;
    this.lower = lower;
    this.children = this.kind === S_IFDIR ? new Map() : undefined;
  }

  get isDirectory(): boolean {
    return this.kind === S_IFDIR;
  }

  /** Records a name; the caller keeps the parent's `children` in step. */
  addName(parent: Node, name: Name): void {
    this.unlinked = false;
    if (this.parent === undefined) {
      this.parent = parent;
      this.name = name;
    } else {
      this.more ??= [];
      this.more.push({ parent, name });
    }
  }

  /** Forgets a name; another one that is known takes its place. */
  dropName(parent: Node, name: Name): void {
    if (this.parent === parent && this.name === name) {
      const next = this.more?.pop();
      this.parent = next?.parent;
      this.name = next?.name ?? name;
    } else {
      this.more = this.more?.filter((other) => other.parent !== parent || other.name !== name);
    }
  }
}
