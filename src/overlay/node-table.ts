// The nodes that are in use: by directory and name, and files with several names by their inode.
// A node stays as long as somebody references it or one of its children; the table makes nodes out
// of lookups and never asks a layer to change anything.

import { errno, FsError } from "../errors.js";
import type { LayerNode, Standing } from "../layer/index.js";
import { type ByteString, NAME_MAX_BYTES, type Name, textOf } from "../path.js";
import { isDirectory } from "../sys/index.js";
import { linkKeyOf } from "./hard-links.js";
import { type LinksView, throughLevels } from "./link-levels.js";
import { dataHolder, Lookup } from "./lookup.js";
import { Node, type Part } from "./node.js";

/** So many unreferenced nodes may lie in the table before it looks for those to drop. */
const MAX_FRESH = 8192;

/** A name that the merged directory lacks, and what the upper has in its place. */
interface Missed {
  readonly directory: Node;
  readonly name: Name;
  readonly standing: Standing;
}

/** All live nodes. One inode has one node. */
export class NodeTable {
  readonly root: Node;
  /** The lookup that nodes come from; its fields tell about the last `child` that asked the layers. */
  readonly lookup: Lookup;
  readonly #view: LinksView;
  readonly #linked = new Map<ByteString, Node>();
  readonly #fresh: Node[] = [];
  /** The node that the last operation found, made or changed: its attributes are as of now. */
  #justFound: Node | undefined = undefined;
  /** What the last lookup did not find. */
  #justMissed: Missed | undefined = undefined;

  constructor(view: LinksView, root: Node) {
    this.#view = view;
    this.root = root;
    this.lookup = new Lookup(view);
  }

  /**
   * The node of a name, or undefined where the merged directory has none; `from` is the layer that
   * a listing found it in. Throws FsError.
   */
  child(directory: Node, name: Name, from?: number): Node | undefined {
    const known = this.known(directory, name);
    if (known !== undefined) return known;
    if (directory.unlinked) return undefined;
    const { lookup } = this;
    if (from === undefined) lookup.in(directory, name);
    else lookup.inFrom(directory, name, from);
    if (lookup.inode !== undefined) return this.#nodeOf(directory, name, lookup.inode);
    this.#justMissed = { directory, name, standing: lookup.standing };
    return undefined;
  }

  /**
   * What stands in the upper at a name that the merged directory has not; undefined where it has one. Who
   * makes a file has looked its name up just before, so that mostly no layer is asked. Throws FsError.
   */
  missing(directory: Node, name: Name): Standing | undefined {
    const missed = this.#justMissed;
    if (missed?.directory === directory && missed.name === name) return missed.standing;
    this.#justMissed = undefined;
    if (this.child(directory, name) !== undefined) return undefined;
    // Nobody asked the layers where the directory itself is gone.
    const { lookup } = this;
    return directory.unlinked ? "absent" : lookup.standing;
  }

  /** The node of a name if it is in the table. */
  known(directory: Node, name: Name): Node | undefined {
    if (directory.children === undefined) throw new FsError(errno.ENOTDIR, "lookup", textOf(name));
    if (name.length > NAME_MAX_BYTES) throw new FsError(errno.ENAMETOOLONG, "lookup", textOf(name));
    return directory.children.get(name);
  }

  /** A node of its own for the last lookup, outside the table: for walks that keep nothing. */
  detached(directory: Node, name: Name): Node | undefined {
    this.lookup.in(directory, name);
    const { inode } = this.lookup;
    if (inode === undefined) return undefined;
    const node = this.#make(inode);
    node.addName(directory, name);
    return node;
  }

  #nodeOf(directory: Node, name: Name, inode: LayerNode): Node {
    const { nlink, mode, ino } = inode.stat;
    const key = nlink > 1 && !isDirectory(mode) ? linkKeyOf(this.lookup.slot, ino) : undefined;
    let node = key === undefined ? undefined : this.#linked.get(key);
    if (node === undefined) {
      const made = this.#make(inode);
      node = key === undefined ? made : this.#internLinked(made, key);
      if (node === made) {
        this.#fresh.push(node);
        this.#justFound = node;
      }
    }
    this.name(node, directory, name);
    return node;
  }

  /** Enters a file with several names; gives the node that its inode has already, if it has one. */
  #internLinked(made: Node, key: ByteString): Node {
    const { linkKey } = made;
    const node = (linkKey === undefined ? undefined : this.#linked.get(linkKey)) ?? made;
    this.#intern(node, key);
    if (node === made) {
      if (linkKey !== undefined) this.#intern(node, linkKey);
      this.severalNames(node);
    }
    return node;
  }

  /** The node that the last lookup tells of. */
  #make(inode: LayerNode): Node {
    const { lookup } = this;
    // As the kernel does (ovl_lookup): better no file than one of zeros.
    if (lookup.lacksData) throw new FsError(errno.EIO, "find the data of", textOf(lookup.name));
    const node = new Node(inode.stat.mode, lookup.ino, lookup.slot, inode, lookup.lower);
    node.redirect = lookup.redirect;
    node.data = lookup.data;
    if (inode.stat.nlink > 1 && !node.isDirectory) this.#linkState(node);
    return node;
  }

  /** A file with several names: is it, or has it, a copy in the index? */
  #linkState(node: Node): void {
    const { links, upperSlot } = this.#view;
    if (node.slot === upperSlot) {
      node.linkKey = links.keyOfCopy(node.inode.stat.ino);
      if (node.linkKey === undefined) return;
      node.lowerNames = links.lowerNames(node.linkKey) ?? 0;
      return;
    }
    const { part, names } = throughLevels(this.#view, node);
    node.linkKey = linkKeyOf(part.slot, part.inode.stat.ino);
    node.lowerNames = links.lowerNames(node.linkKey) ?? names;
    const copy = links.copy(node.linkKey);
    const marks = copy === undefined ? undefined : this.#view.levelAt(upperSlot)?.marks(copy);
    node.slot = copy === undefined ? part.slot : upperSlot;
    node.inode = copy ?? part.inode;
    node.data = part.data;
    if (copy === undefined) return;
    node.data = marks?.metacopy === true ? dataHolder(this.#view, part) : undefined;
    node.redirect = marks?.redirect;
  }

  /** The upper is about to be frozen: what its files with several names will be in the stack. */
  freezeLinks(): void {
    const { upperSlot } = this.#view;
    for (const node of new Set(this.#linked.values())) {
      if (node.slot !== upperSlot) continue;
      const nlink = this.#view.levelAt(upperSlot)?.stat(node.inode).nlink ?? 0;
      // One name, and that is in its layer: nobody will look into an index for it.
      if (node.linkKey === undefined && nlink < 2) continue;
      node.lowerNames += node.linkKey === undefined ? nlink : nlink - 1;
      node.linkKey = linkKeyOf(node.slot, node.inode.stat.ino);
      if (node.lowerNames === 0) node.linkKey = undefined;
      else this.#intern(node, node.linkKey);
    }
  }

  /** The topmost part of a file is now an inode of the upper; `data` is where its data stay. */
  copiedUp(node: Node, copy: LayerNode, data: Part | undefined): void {
    node.slot = this.#view.upperSlot;
    node.inode = copy;
    node.data = data;
    node.dataVersion += 1;
    if (node.linkKey !== undefined) this.severalNames(node);
  }

  /** An upper file has, or is about to have, several names: they all must lead to this node. */
  severalNames(node: Node): void {
    this.#intern(node, linkKeyOf(node.slot, node.inode.stat.ino));
  }

  #intern(node: Node, key: ByteString): void {
    const present = this.#linked.get(key);
    if (present === node) return;
    this.#linked.set(key, node);
    node.tableKeys ??= [];
    node.tableKeys.push(key);
  }

  /** A new inode of the upper. */
  born(inode: LayerNode): Node {
    const { upperSlot } = this.#view;
    const ino = this.#view.numbers.shown(upperSlot, inode.stat.ino);
    const node = new Node(inode.stat.mode, ino, upperSlot, inode);
    // Nothing is inherited but ACLs.
    node.lacksCapability = true;
    this.#fresh.push(node);
    this.#justFound = node;
    return node;
  }

  /**
   * The upper has changed the node, and asked the disk for what came of it; a copy may have got, or lost, a name since.
   * Whoever says so asks for the attributes in the same operation: a write does not make them old.
   */
  changed(node: Node): void {
    if (node.linkKey === undefined && !node.unlinked) this.#justFound = node;
  }

  /**
   * True, once, for a node whose attributes the disk told in the very operation before: looking a
   * name up, or making it, and then asking for its attributes need not ask twice.
   */
  takeJustFound(node: Node): boolean {
    const isFound = this.#justFound === node;
    this.#justFound = undefined;
    return isFound;
  }

  /** Another operation begins. */
  forgetFound(): void {
    this.#justFound = undefined;
  }

  /** The upper is about to change. */
  forgetMissed(): void {
    this.#justMissed = undefined;
  }

  /** From now on the name leads to this node. */
  name(node: Node, directory: Node, name: Name): void {
    directory.children?.set(name, node);
    node.addName(directory, name);
  }

  /** The name leads nowhere any more; `gone` says that the whole inode left the tree. */
  unname(node: Node, directory: Node, name: Name, gone: boolean): void {
    directory.children?.delete(name);
    node.dropName(directory, name);
    if (!gone) return;
    node.unlinked = true;
    if (node.references <= 0) this.#drop(node);
  }

  /**
   * True when looking its name up gives the same inode again, and nobody but the caller keeps the node:
   * then it may be forgotten, though it is to be used again. Of files of the layers with one name.
   */
  isFoundAgain(node: Node): boolean {
    const isLowerFile = node.slot < this.#view.levelSlot && !node.isDirectory;
    const hasOneName = node.tableKeys === undefined && node.more === undefined;
    return isLowerFile && hasOneName && !node.unlinked && node.references === 1;
  }

  reference(node: Node): void {
    node.references++;
  }

  forget(node: Node, count: number): void {
    node.references -= count;
    this.#dropIfUnused(node);
  }

  /** Drops nodes that nobody took up since they were found, the older half. Only between operations. */
  sweep(): void {
    if (this.#fresh.length < MAX_FRESH) return;
    for (const node of this.#fresh.splice(0, MAX_FRESH / 2)) this.#dropIfUnused(node);
  }

  #dropIfUnused(node: Node): void {
    if (node === this.root || node.references > 0) return;
    if (node.children !== undefined && node.children.size > 0) return;
    this.#drop(node);
  }

  /** Parents stay while they have a child in the table; they may be next to go. */
  #drop(node: Node): void {
    for (const key of node.tableKeys ?? []) {
      if (this.#linked.get(key) === node) this.#linked.delete(key);
    }
    const { layers } = this.#view;
    layers[node.slot]?.forget(node.inode);
    for (const part of node.lower) layers[part.slot]?.forget(part.inode);
    this.#detach(node.parent, node.name, node);
    for (const { parent, name } of node.more ?? []) this.#detach(parent, name, node);
  }

  #detach(parent: Node | undefined, name: Name, node: Node): void {
    if (parent?.children?.get(name) !== node) return;
    parent.children.delete(name);
    this.#dropIfUnused(parent);
  }
}
