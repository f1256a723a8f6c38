// What the parts of the overlay share: the layers by slot, the upper among them, the node table
// and the hard-link index. No operations here: they are in the files of their families.

import { createHash } from "node:crypto";
import { errno, FsError } from "../errors.js";
import type { Layer, Standing, UpperLayer } from "../layer/index.js";
import { type Name, textOf } from "../path.js";
import { Filling } from "./filling.js";
import { HardLinks } from "./hard-links.js";
import { InodeNumbers } from "./inode-numbers.js";
import { type LayersView, Lookup, rootsBelow } from "./lookup.js";
import { Node } from "./node.js";
import { NodeTable } from "./node-table.js";

/** How much of a file comes with its copy. */
export interface CopyUpOptions {
  /** "block": data stay below until their block is written. "whole": all at once. */
  readonly copyUp: "block" | "whole";
  /** With "block": a change of metadata alone copies no data, ever. */
  readonly metadataOnly: boolean;
  /** As OverlayOptions.namesCopies. */
  readonly namesCopies: boolean;
}

/** Tells stacks apart, base first. Devices have other numbers after a reboot: inodes must do. */
function nameOf(lowers: readonly Layer[]): string {
  const inodes = lowers.map((layer) => layer.root.stat.ino.toString(16)).join(".");
  return createHash("sha256").update(inodes).digest("hex").slice(0, 32);
}

/** The layers of one overlay and all that is known of them. */
export class Union implements LayersView {
  readonly layers: readonly Layer[];
  readonly upper: UpperLayer | undefined;
  readonly upperSlot: number;
  readonly numbers: InodeNumbers;
  readonly links: HardLinks;
  /** A directory with lower parts may be moved: a redirect tells where they are. */
  redirects = true;
  /** A copy in the hard-link index also gets, at once, the name by which it was changed. */
  readonly namesCopies: boolean;
  readonly nodes: NodeTable;
  /** Partial files to be filled in. */
  readonly filling: Filling;
  readonly leavesData: boolean;
  readonly metadataOnly: boolean;
  /** For questions besides the node table's own lookup. */
  readonly probe: Lookup;

  /** `stack`: the read-only layers, topmost first; at least one layer in all. */
  constructor(
    stack: readonly Layer[],
    upper: UpperLayer | undefined,
    highInodeBits: number | undefined,
    copyUp: CopyUpOptions,
  ) {
    const lowers = [...stack].reverse();
    this.layers = upper === undefined ? lowers : [...lowers, upper];
    this.upper = upper;
    this.leavesData = copyUp.copyUp === "block" && upper?.leavesData === true;
    this.metadataOnly = copyUp.metadataOnly;
    this.filling = new Filling(this);
    this.upperSlot = upper === undefined ? -1 : lowers.length;
    this.numbers = new InodeNumbers(highInodeBits);
    for (const layer of this.layers) this.numbers.add(layer);
    this.namesCopies = copyUp.namesCopies;
    this.links = new HardLinks(upper, this.namesCopies ? nameOf(lowers) : undefined);
    this.nodes = new NodeTable(this, this.links, this.#makeRoot());
    this.probe = new Lookup(this);
  }

  /** The roots of all layers merge; an opaque root ends the merge like any opaque directory. */
  #makeRoot(): Node {
    const parts = rootsBelow(this, this.layers.length);
    const opaque = parts.findIndex((part) => this.layers[part.slot]?.marks(part.inode).opaque);
    const [top, ...lower] = opaque < 0 ? parts : parts.slice(0, opaque + 1);
    if (top === undefined) throw new FsError(errno.EINVAL, "stack", "no layers");
    const base = top.slot === this.upperSlot ? (lower[0] ?? top) : top;
    const ino = this.numbers.shown(base.slot, base.inode.stat.ino);
    const root = new Node(top.inode.stat.mode, ino, top.slot, top.inode, lower);
    root.references = 1;
    return root;
  }

  /** The upper, for a change. Throws FsError EROFS without one. */
  writable(operation: string): UpperLayer {
    if (this.upper === undefined) throw new FsError(errno.EROFS, operation);
    return this.upper;
  }

  isUpper(node: Node): boolean {
    return node.slot === this.upperSlot;
  }

  /** What stands in the upper at a name; `node` is what the merged tree has there. */
  standing(directory: Node, name: Name, node: Node | undefined): Standing {
    if (!this.isUpper(directory)) return "absent";
    if (node !== undefined && node.linkKey === undefined) {
      if (!this.isUpper(node)) return "absent";
      return node.isDirectory ? "directory" : "file";
    }
    // Absent, or one of several lower names of an inode whose copy lies in the index.
    this.probe.in({ slot: directory.slot, inode: directory.inode, lower: [] }, name);
    return this.probe.standing;
  }

  /** True when a lower layer has something under this name, so that removing it takes a whiteout. */
  showsBelow(directory: Node, name: Name): boolean {
    return this.probe.below(directory, name) === "lower";
  }
}

/** The node under a name. Throws FsError ENOENT. */
export function requireChild(union: Union, directory: Node, name: Name, operation: string): Node {
  const node = union.nodes.child(directory, name);
  if (node === undefined) throw new FsError(errno.ENOENT, operation, textOf(name));
  return node;
}
