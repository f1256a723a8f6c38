// From libfuse's paths to nodes of the overlay, and the names that libfuse gives to files which are
// removed while they are open: those exist here only, never in the tree.

import { errno, FsError } from "../../errors.js";
import type { NameForm } from "../../layer/nested.js";
import type { Node, Overlay } from "../../overlay/index.js";
import { type ByteString, type Name, textOf } from "../../path.js";

/** hidden_name() of libfuse 2.9, lib/fuse.c: node id and a counter, so each is given once. */
const HIDDEN_NAME = /^\.fuse_hidden[0-9a-f]{16}$/;

/** More than a walk has open at a time, from the root down and beside one another. */
const MOST_RECENT = 256;

/** A name in a directory. */
export interface Place {
  readonly directory: Node;
  readonly name: Name;
}

/** The directory's path and the last name; the root has none. */
function split(path: ByteString): { readonly parent: ByteString; readonly name: Name } {
  const slash = path.lastIndexOf("/");
  return { parent: path.slice(0, slash) as ByteString, name: path.slice(slash + 1) as Name };
}

/** Nodes by path. */
export class MergedPaths {
  readonly #overlay: Overlay;
  readonly #names: NameForm;
  readonly #hidden = new Map<Name, Node>();
  /** Referenced, the one that was walked through last at the end: the overlay need not look for them. */
  readonly #recent = new Set<Node>();

  constructor(overlay: Overlay, names: NameForm) {
    this.#overlay = overlay;
    this.#names = names;
  }

  /** The node of an absolute path. Throws FsError ENOENT. A node kept any longer is referenced. */
  find(path: ByteString): Node {
    const { parent, name } = split(path);
    const hidden = this.#hidden.get(name);
    if (hidden !== undefined) return hidden;
    const directory = this.#walk(parent);
    return name === "" ? directory : this.#step(directory, name);
  }

  /**
   * As find, but ESTALE for a hidden name whose file is gone: the kernel asked by an old entry of
   * its cache, and looks the path up again (fs/namei.c, LOOKUP_REVAL).
   */
  findFresh(path: ByteString): Node {
    if (this.isHidden(path) && !this.#hidden.has(split(path).name)) {
      throw new FsError(errno.ESTALE, "lookup", textOf(path));
    }
    return this.find(path);
  }

  /** The directory of a path, and the name in it that is there or not. Throws FsError. */
  place(path: ByteString): Place {
    const { parent, name } = split(path);
    if (name === "") throw new FsError(errno.EBUSY, "change", "/");
    return { directory: this.#walk(parent), name: this.#names.stored(name) };
  }

  #walk(path: ByteString): Node {
    let node = this.#overlay.root;
    for (const name of path.split("/")) {
      if (name === "") continue;
      node = this.#step(node, name as Name);
      this.#remember(node);
    }
    return node;
  }

  /** Each call walks its path from the root, and what nobody references is looked for in all layers. */
  #remember(directory: Node): void {
    if (!this.#recent.delete(directory)) this.#overlay.reference(directory);
    this.#recent.add(directory);
    if (this.#recent.size <= MOST_RECENT) return;
    const [oldest] = this.#recent;
    if (oldest === undefined) return;
    this.#recent.delete(oldest);
    this.#overlay.forget(oldest);
  }

  /** A directory was removed: the disk has its room back only when nobody keeps it. */
  forgetRemoved(): void {
    for (const directory of this.#recent) {
      if (!directory.unlinked) continue;
      this.#recent.delete(directory);
      this.#overlay.forget(directory);
    }
  }

  #step(directory: Node, name: Name): Node {
    // The lookup may sweep the tables, but not what is referenced; then the child holds its parent.
    this.#overlay.reference(directory);
    try {
      const child = this.#overlay.lookup(directory, this.#names.stored(name));
      if (child === undefined) throw new FsError(errno.ENOENT, "lookup", textOf(name));
      return child;
    } finally {
      this.#overlay.forget(directory);
    }
  }

  /** True when this rename is libfuse's way of removing an open file. */
  isHiding(from: ByteString, to: ByteString): boolean {
    const [source, hidden] = [split(from), split(to)];
    return HIDDEN_NAME.test(hidden.name) && source.parent === hidden.parent;
  }

  /**
   * A file is removed while it is open: from now on its hidden name leads to it. libfuse does this
   * before a rename over the file as well: then the name stays for that rename, which is atomic.
   */
  hide(from: ByteString, to: ByteString, isReplaced: boolean): void {
    const node = this.find(from);
    const { name } = split(to);
    this.#overlay.reference(node);
    this.#hidden.set(name, node);
    if (isReplaced) return;
    try {
      const { directory, name: old } = this.place(from);
      this.#overlay.unlink(directory, old);
    } catch (error) {
      this.#hidden.delete(name);
      this.#overlay.forget(node);
      throw error;
    }
  }

  /** Nobody has the node open any more: a hidden name of it has served its time. */
  release(node: Node): void {
    for (const [name, hidden] of this.#hidden) {
      if (hidden !== node) continue;
      this.#hidden.delete(name);
      this.#overlay.forget(node);
    }
  }

  /** True for a name that libfuse gave, which was never in the tree. */
  isHidden(path: ByteString): boolean {
    return HIDDEN_NAME.test(split(path).name);
  }
}
