// The merged tree as a tree to walk (layer/tree.ts). It goes around the node table: a walk over a
// whole image leaves nothing behind.

import type { LayerFile } from "../layer/index.js";
import type { FindableNode } from "../layer/tree.js";
import { xattrsOf } from "../layer/xattrs.js";
import { type ByteString, compareBytes, type Name } from "../path.js";
import { O_RDONLY, type Stat } from "../sys/index.js";
import { mergedStat } from "./attributes.js";
import { openData } from "./data-place.js";
import { linkKeyOf } from "./hard-links.js";
import { layerOf } from "./layer-of.js";
import type { Node, Part } from "./node.js";
import { forEachEntry } from "./readdir.js";
import type { Union } from "./union.js";

/** One name of the merged tree as it was when its directory was listed. */
export class MergedTreeNode implements FindableNode {
  readonly name: Name;
  readonly #union: Union;
  readonly #node: Node;

  constructor(union: Union, node: Node, name: Name) {
    this.#union = union;
    this.#node = node;
    this.name = name;
  }

  stat(): Stat {
    return statOf(this.#union, this.#node);
  }

  child(name: Name): MergedTreeNode | undefined {
    if (!this.#node.isDirectory) return undefined;
    const node = this.#union.nodes.detached(this.#node, name);
    return node === undefined ? undefined : new MergedTreeNode(this.#union, node, name);
  }

  children(): MergedTreeNode[] {
    const union = this.#union;
    return childrenOf(union, this.#node).map(
      (child) => new MergedTreeNode(union, child, child.name),
    );
  }

  readlink(): ByteString {
    return layerOf(this.#union, this.#node).readlink(this.#node.inode);
  }

  xattrs(): ReadonlyMap<ByteString, Uint8Array> {
    return xattrsOf(layerOf(this.#union, this.#node), this.#node);
  }

  open(): LayerFile {
    return openContent(this.#union, this.#node);
  }

  /** It is the base layer's own inode: nothing that shows here was changed. */
  get isBase(): boolean {
    return this.#node.slot === 0;
  }

  /**
   * The inode of the base layer that merges with this directory, or has all the data of this file. It
   * is the same file moved or with other metadata; undefined for what is new.
   */
  get baseIno(): bigint | undefined {
    const { lower } = this.#node;
    if (this.#node.isDirectory) return baseInoOf([this.#node, ...lower].find(isInBase));
    let part: Part = this.#node;
    while (part.data !== undefined) {
      if (this.#union.levelAt(part.slot)?.ownBlocks(part.inode) !== undefined) return undefined;
      part = part.data;
    }
    return isInBase(part) ? baseInoOf(part) : undefined;
  }

  /** A moved directory whose lower parts are gone: whoever owns a layer changed it underneath. */
  get lacksLower(): boolean {
    const { isDirectory, redirect, lower } = this.#node;
    return isDirectory && redirect !== undefined && lower.length === 0;
  }

  /** Lower files with several names were changed: such a name may be in a directory that was not. */
  get hasLinkCopies(): boolean {
    const { links, layers } = this.#union;
    return !links.isEmpty || layers.some((_, n) => this.#union.frozenLinks(n)?.isEmpty === false);
  }

  hardlinkKey(): string | undefined {
    return this.stat().nlink > 1 ? identityOf(this.#node) : undefined;
  }
}

function isInBase({ slot }: Part): boolean {
  return slot === 0;
}

function baseInoOf(part: Part | undefined): bigint | undefined {
  return part?.inode.stat.ino;
}

/** Merged attributes of a node that need not be in the table. */
export function statOf(union: Union, node: Node): Stat {
  return mergedStat(union, node, layerOf(union, node).stat(node.inode));
}

/** All that shows in a directory, sorted by bytes, as nodes outside the table. */
export function childrenOf(union: Union, directory: Node): Node[] {
  if (!directory.isDirectory) return [];
  const names: Name[] = [];
  forEachEntry(union, directory, ({ name }) => {
    names.push(name);
    return true;
  });
  return nodesOf(union, directory, names);
}

/** The nodes of some names, sorted by bytes; names that show nothing are left out. */
export function nodesOf(union: Union, directory: Node, names: Iterable<Name>): Node[] {
  const nodes: Node[] = [];
  for (const name of [...names].sort(compareBytes)) {
    const node = union.nodes.detached(directory, name);
    if (node !== undefined) nodes.push(node);
  }
  return nodes;
}

/** The same for all names of one file, in one state of the overlay. */
export function identityOf(node: Node): ByteString {
  return linkKeyOf(node.slot, node.inode.stat.ino);
}

/** A regular file opened for reading, wherever its data are. */
export function openContent(union: Union, node: Node): LayerFile {
  return openData(union, node, O_RDONLY);
}
