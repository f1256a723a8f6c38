// The hard-link index of a directory upper: one directory beside the tree, whose entries are hard
// links of the upper's inodes. What the keys mean is the union's business (UpperLayer.index).

import { assert } from "../assert.js";
import { type ByteString, isName, type Name } from "../path.js";
import { statFd, tryStatAt, unlinkAt } from "../sys/index.js";
import type { DirectoryLayer } from "./directory-layer.js";
import { DirectoryNode } from "./directory-node.js";
import { holdInode, linkInode } from "./upper-names.js";

/** Index over the directory `fd`, which stays the caller's. All methods throw FsError. */
export class UpperIndex {
  /** Stands for the index directory as the parent of its entries; not in the tree. */
  readonly directory: DirectoryNode;
  readonly #layer: DirectoryLayer;
  readonly #fd: number;

  constructor(layer: DirectoryLayer, fd: number) {
    this.#layer = layer;
    this.#fd = fd;
    this.directory = new DirectoryNode(statFd(fd), undefined, "" as Name);
    this.directory.heldFd = fd;
  }

  find(key: ByteString): DirectoryNode | undefined {
    const name = keyName(key);
    const stat = tryStatAt(this.#fd, name);
    if (stat === undefined) return undefined;
    return this.#layer.nodes.at(this.directory, name, this.#layer.shown(stat, this.#fd, name));
  }

  add(key: ByteString, node: DirectoryNode): void {
    const name = keyName(key);
    linkInode(this.#layer, node, this.#fd, name);
    node.addName(this.directory, name);
  }

  remove(key: ByteString): void {
    const name = keyName(key);
    const stat = tryStatAt(this.#fd, name);
    if (stat === undefined) return;
    const known = this.#layer.nodes.known(stat.ino);
    const gone = holdInode(this.#layer, this.directory, this.#fd, name, known);
    unlinkAt(this.#fd, name);
    gone?.dropName(this.directory, name);
  }
}

/** Keys are made to be names of files. */
export function keyName(key: ByteString): Name {
  assert(isName(key), "a key of the index can be the name of a file");
  return key;
}
