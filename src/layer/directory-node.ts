// Nodes of a directory on disk: where an inode is found (parent and name), and the table that
// gives each inode one node. Descriptors of directories are directory-descriptors.ts.

import { assert } from "../assert.js";
import { errno, FsError } from "../errors.js";
import { type ByteString, type Name, textOf } from "../path.js";
import { close, isDirectory, type Stat } from "../sys/index.js";
import type { BlockMap } from "./block-map.js";
import type { Closer } from "./closer.js";
import type { LayerMarks, LayerNode } from "./layer.js";
import type { BlockPlace } from "./layer-index-format.js";
import type { ByteRange } from "./zero-ranges.js";

/** What is read of a directory's or a file's own encodings; kept with the node. */
export interface DiskMarks extends LayerMarks {
  /** Zero-size files here may be whiteouts (overlayfs.rst, opaque "x"). */
  readonly xattrWhiteouts: boolean;
  /** The mark `blocks`, of a partial file. */
  readonly blocks: ByteString | undefined;
}

/** The blocks of a partial file, and those of them that are zeros without being written. */
export interface PartialMap {
  readonly map: BlockMap;
  zeros: readonly ByteRange[];
}

/** One name of an inode. */
export interface NodePlace {
  readonly parent: DirectoryNode;
  readonly name: Name;
}

/** An inode on disk: reached by parent and name, or by `heldFd` where it has no name (the root too). */
export class DirectoryNode implements LayerNode {
  stat: Stat;
  parent: DirectoryNode | undefined;
  name: Name;
  /** Names seen besides that one; of an upper's files only. */
  more: NodePlace[] | undefined = undefined;
  /** An O_PATH descriptor, or -1. */
  heldFd = -1;
  /** While a file that an upper made is still open, its descriptor: cheaper than the name. Else -1. */
  fileFd = -1;
  marks: DiskMarks | undefined = undefined;
  /** Of a partial file: its blocks, once they are known. */
  blocks: PartialMap | undefined = undefined;
  /** Of a directory in an index: where its names are; "empty": it has none. */
  block: BlockPlace | "empty" | undefined = undefined;
  /** An upper made or moved the name since the parent was last synced. */
  nameUnsynced = false;

  constructor(stat: Stat, parent: DirectoryNode | undefined, name: Name) {
    this.stat = stat;
    this.parent = parent;
    this.name = name;
  }

  hasName(parent: DirectoryNode, name: Name): boolean {
    if (this.parent === parent && this.name === name) return true;
    return this.more?.some((place) => place.parent === parent && place.name === name) ?? false;
  }

  /** Has it a known name that is not this one? */
  hasNameBesides(parent: DirectoryNode, name: Name): boolean {
    if (this.parent === undefined) return false;
    if (this.parent !== parent || this.name !== name) return true;
    return (this.more?.length ?? 0) > 0;
  }

  addName(parent: DirectoryNode, name: Name): void {
    if (this.hasName(parent, name)) return;
    if (this.parent === undefined) {
      this.parent = parent;
      this.name = name;
    } else {
      this.more ??= [];
      this.more.push({ parent, name });
    }
  }

  /** The only name it has. */
  setName(parent: DirectoryNode, name: Name): void {
    this.parent = parent;
    this.name = name;
    this.more = undefined;
  }

  /** Forgets a name; another known one takes its place. */
  dropName(parent: DirectoryNode, name: Name): void {
    if (this.parent === parent && this.name === name) {
      const next = this.more?.pop();
      this.parent = next?.parent;
      this.name = next?.name ?? name;
    } else {
      this.more = this.more?.filter((place) => place.parent !== parent || place.name !== name);
    }
  }
}

/** The node of a directory layer behind a LayerNode. */
export function directoryNodeOf(node: LayerNode): DirectoryNode {
  assert(node instanceof DirectoryNode, "the node belongs to a directory layer");
  return node;
}

/** The same of a directory. Throws FsError ENOTDIR. */
export function requireDirectory(node: LayerNode): DirectoryNode {
  const own = directoryNodeOf(node);
  if (!isDirectory(own.stat.mode)) throw new FsError(errno.ENOTDIR, "lookup", textOf(own.name));
  return own;
}

/**
 * The nodes in use. A layer that does not change knows its directories; an upper knows every node,
 * since a rename must reach them all.
 */
export class DirectoryNodes {
  readonly #device: number;
  readonly #changes: boolean;
  readonly #byIno = new Map<bigint, DirectoryNode>();
  readonly #closer: Closer | undefined;

  constructor(device: number, changes: boolean, closer: Closer | undefined) {
    this.#closer = closer;
    this.#device = device;
    this.#changes = changes;
  }

  /** The node of what was found at a name, with its fresh stat. */
  at(parent: DirectoryNode, name: Name, stat: Stat): DirectoryNode {
    // Inode numbers mean something on the layer's own device only; mounts below it are not ours.
    const tabled = (this.#changes || isDirectory(stat.mode)) && stat.dev === this.#device;
    if (!tabled) return new DirectoryNode(stat, parent, name);
    const known = this.#byIno.get(stat.ino);
    if (known === undefined) {
      const node = new DirectoryNode(stat, parent, name);
      this.#byIno.set(stat.ino, node);
      return node;
    }
    known.stat = stat;
    if (stat.nlink > 1 && !isDirectory(stat.mode)) known.addName(parent, name);
    else known.setName(parent, name);
    return known;
  }

  /** The node of an inode, if somebody has it. */
  known(ino: bigint): DirectoryNode | undefined {
    return this.#byIno.get(ino);
  }

  /** Enters a node that has no name yet. */
  add(node: DirectoryNode): void {
    this.#byIno.set(node.stat.ino, node);
  }

  /** The node is another layer's from here on, with the descriptor that keeps its inode alive. */
  handOver(node: DirectoryNode): void {
    if (this.#byIno.get(node.stat.ino) === node) this.#byIno.delete(node.stat.ino);
  }

  /** Lets go of a node and of the descriptor that keeps its inode alive. */
  forget(node: DirectoryNode): void {
    if (this.#byIno.get(node.stat.ino) === node) this.#byIno.delete(node.stat.ino);
    const { heldFd } = node;
    node.heldFd = -1;
    if (heldFd < 0) return;
    if (this.#closer === undefined) close(heldFd);
    else this.#closer.close(heldFd);
  }

  /** Lets go of all. */
  clear(): void {
    this.#closer?.finish();
    for (const node of [...this.#byIno.values()]) this.forget(node);
  }
}
