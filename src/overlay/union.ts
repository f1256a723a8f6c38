// What the parts of the overlay share: the layers by slot, the upper among them, the node table
// and the hard-link index. No operations here: they are in the files of their families.

import { createHash } from "node:crypto";
import { errno, FsError } from "../errors.js";
import type { Layer, Standing, UpperLayer } from "../layer/index.js";
import { type Name, textOf } from "../path.js";
import type { Stat } from "../sys/index.js";
import { Filling } from "./filling.js";
import { HardLinks } from "./hard-links.js";
import { InodeNumbers } from "./inode-numbers.js";
import { type LayersView, Lookup, rootsBelow } from "./lookup.js";
import { Node } from "./node.js";
import { NodeTable } from "./node-table.js";
import { Rehearsal } from "./rehearsal.js";
import { type BeforeStep, type Plan, runPlan } from "./step.js";

/** How much of a file comes with its copy. */
export interface CopyUpOptions {
  /** "block": data stay below until their block is written. "whole": all at once. */
  readonly copyUp: "block" | "whole";
  /** With "block": a change of metadata alone copies no data, ever. */
  readonly metadataOnly: boolean;
  /** As OverlayOptions.namesCopies. */
  readonly namesCopies: boolean;
}

/** How a union works. */
export interface UnionOptions extends CopyUpOptions {
  readonly highInodeBits: number | undefined;
  readonly beforeStep: BeforeStep | undefined;
}

/** Tells stacks apart, base first. Devices have other numbers after a reboot: inodes must do. */
function nameOf(lowers: readonly Layer[]): string {
  const inodes = lowers.map((layer) => layer.root.stat.ino.toString(16)).join(".");
  return createHash("sha256").update(inodes).digest("hex").slice(0, 32);
}

/** The layers of one overlay and all that is known of them. */
export class Union implements LayersView {
  readonly #layers: Layer[];
  readonly #levels: UpperLayer[];
  readonly #frozenLinks: HardLinks[];
  #upper: UpperLayer | undefined;
  #links: HardLinks;
  #leavesData: boolean;
  readonly levelSlot: number;
  readonly fixedSlots: number;
  readonly numbers: InodeNumbers;
  /** A directory with lower parts may be moved: a redirect tells where they are. */
  redirects = true;
  /** Counts up with every change of the tree; not of data. */
  version = 0;
  /** A copy in the hard-link index also gets, at once, the name by which it was changed. */
  readonly namesCopies: boolean;
  readonly nodes: NodeTable;
  /** Partial files to be filled in. */
  readonly filling: Filling;
  readonly rehearsal: Rehearsal;
  readonly metadataOnly: boolean;
  readonly #copyUp: CopyUpOptions["copyUp"];
  readonly #beforeStep: BeforeStep | undefined;
  /** For questions besides the node table's own lookup. */
  readonly probe: Lookup;

  /**
   * `stack`: the read-only layers, topmost first; above them `frozen`, former uppers of this tree,
   * topmost first; at least one layer in all.
   */
  constructor(
    stack: readonly Layer[],
    uppers: { readonly frozen: readonly UpperLayer[]; readonly upper: UpperLayer | undefined },
    options: UnionOptions,
  ) {
    const lowers = [...stack].reverse();
    const frozen = [...uppers.frozen].reverse();
    const { upper } = uppers;
    this.#levels = upper === undefined ? frozen : [...frozen, upper];
    this.#layers = [...lowers, ...this.#levels];
    this.#upper = upper;
    this.levelSlot = lowers.length;
    this.fixedSlots = lowers.length + frozen.length;
    this.#copyUp = options.copyUp;
    this.#leavesData = options.copyUp === "block" && upper?.leavesData === true;
    this.metadataOnly = options.metadataOnly;
    this.#beforeStep = options.beforeStep;
    this.filling = new Filling(this);
    this.rehearsal = new Rehearsal(this);
    this.numbers = new InodeNumbers(options.highInodeBits);
    for (const layer of this.layers) this.numbers.add(layer);
    this.namesCopies = options.namesCopies;
    this.#frozenLinks = frozen.map((level) => new HardLinks(level, undefined));
    this.#links = new HardLinks(upper, this.namesCopies ? nameOf(lowers) : undefined);
    this.nodes = new NodeTable(this, this.#makeRoot());
    this.probe = new Lookup(this);
  }

  /** By slot: base first. */
  get layers(): readonly Layer[] {
    return this.#layers;
  }

  get upper(): UpperLayer | undefined {
    return this.#upper;
  }

  get upperSlot(): number {
    return this.#upper === undefined ? -1 : this.#layers.length - 1;
  }

  /** The upper, and those that it was put above since the mount or before. */
  get levels(): readonly UpperLayer[] {
    return this.#levels;
  }

  /** The hard-link index of the upper. */
  get links(): HardLinks {
    return this.#links;
  }

  get leavesData(): boolean {
    return this.#leavesData;
  }

  levelAt(slot: number): UpperLayer | undefined {
    return this.#levels[slot - this.levelSlot];
  }

  frozenLinks(slot: number): HardLinks | undefined {
    return this.#frozenLinks[slot - this.levelSlot];
  }

  /**
   * The roots of all layers merge; an opaque root ends the merge like any opaque directory. The root
   * shows the inode number that it has in the topmost layer that is no upper of this tree.
   */
  #makeRoot(): Node {
    const parts = rootsBelow(this, this.layers.length);
    const opaque = parts.findIndex((part) => this.layers[part.slot]?.marks(part.inode).opaque);
    const [top, ...lower] = opaque < 0 ? parts : parts.slice(0, opaque + 1);
    if (top === undefined) throw new FsError(errno.EINVAL, "stack", "no layers");
    const all = [top, ...lower];
    const base = all.find(({ slot }) => slot < this.levelSlot) ?? all.at(-1) ?? top;
    const ino = this.numbers.shown(base.slot, base.inode.stat.ino);
    const root = new Node(top.inode.stat.mode, ino, top.slot, top.inode, lower);
    root.references = 1;
    return root;
  }

  /**
   * The upper becomes the topmost read-only layer, and `upper`, which is empty, takes its place. Every
   * node stays: those of the former upper are lower ones from here on.
   */
  freeze(upper: UpperLayer): void {
    this.version += 1;
    this.filling.startAnew();
    this.nodes.freezeLinks();
    this.#frozenLinks.push(this.#links);
    this.#layers.push(upper);
    this.nodes.forgetMissed();
    this.#levels.push(upper);
    this.numbers.add(upper);
    this.#upper = upper;
    this.#links = new HardLinks(upper, undefined);
    this.#leavesData = this.#copyUp === "block" && upper.leavesData;
    const { root } = this.nodes;
    root.lower = [{ slot: root.slot, inode: root.inode }, ...root.lower];
    root.slot = this.upperSlot;
    root.inode = upper.root;
    root.redirect = undefined;
  }

  /** Carries a plan out. */
  run(plan: Plan): void {
    this.version += 1;
    this.nodes.forgetMissed();
    runPlan(plan, this.#beforeStep);
  }

  /** Attributes of a node's topmost part. */
  statOf(node: Node): Stat {
    const { slot, inode } = node;
    return this.levelAt(slot)?.stat(inode) ?? inode.stat;
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
