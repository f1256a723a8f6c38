// The inodes the kernel knows: node ids, how often each was looked up, how its open files are
// served. Node ids count up and are never used again. What an inode is lies in overlay/.

import { errno, FsError } from "../../errors.js";
import type { Node, Overlay } from "../../overlay/index.js";
import { ROOT_NODE_ID } from "../wire/protocol.js";
import type { Backing } from "./passthrough.js";

/** How all open files of one inode are served; the kernel refuses (EIO) any mixture. */
export type OpenMode = "none" | "cached" | "passthrough";

/**
 * One inode of the kernel. A node of the overlay has one, or several after a file that is open
 * by passthrough from a lower layer was copied up: the newest is the current one, the older ones
 * are `detached` and go on showing the lower file's data to those who have it open.
 */
export class FuseInode {
  readonly nodeId: number;
  readonly node: Node;
  /** Answers that named it and were not forgotten yet. */
  lookups = 0;
  /** Open files. */
  opens = 0;
  mode: OpenMode = "none";
  /** The registered file of mode "passthrough". */
  backing: Backing | undefined;
  /** The kernel's cached pages show what is in the file: false after writes around the cache. */
  cacheValid = true;
  /** Open by passthrough for reading and writing once: a mapping may change it at any time. */
  mayBeMapped = false;
  detached = false;
  /** It was opened before: the kernel may have pages of it. */
  wasOpened = false;

  constructor(nodeId: number, node: Node) {
    this.nodeId = nodeId;
    this.node = node;
  }
}

/** All inodes the kernel may name in a request. */
export class InodeTable {
  readonly #overlay: Overlay;
  readonly #byId = new Map<number, FuseInode>();
  readonly #byNode = new Map<Node, FuseInode>();
  #nextId = ROOT_NODE_ID;

  constructor(overlay: Overlay) {
    this.#overlay = overlay;
    this.current(overlay.root).lookups = 1;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** The inode of a node id. Throws ESTALE for one the kernel has forgotten. */
  get(nodeId: number): FuseInode {
    const inode = this.#byId.get(nodeId);
    if (inode === undefined) throw new FsError(errno.ESTALE, "find inode", String(nodeId));
    return inode;
  }

  /** The inode that shows a node now, if the kernel has it. */
  known(node: Node): FuseInode | undefined {
    return this.#byNode.get(node);
  }

  /** The inode that shows a node now, made if need be; the caller counts its lookup. */
  current(node: Node): FuseInode {
    const known = this.#byNode.get(node);
    if (known !== undefined) return known;
    const inode = new FuseInode(this.#nextId++, node);
    this.#overlay.reference(node);
    this.#byId.set(inode.nodeId, inode);
    this.#byNode.set(node, inode);
    return inode;
  }

  /** From now on the node is shown by another inode; open files stay with this one. */
  detach(inode: FuseInode): void {
    inode.detached = true;
    inode.cacheValid = false;
    if (this.#byNode.get(inode.node) === inode) this.#byNode.delete(inode.node);
  }

  /** Makes a detached inode without open files the current one, unless another has that place. */
  attach(inode: FuseInode): boolean {
    if (this.#byNode.has(inode.node)) return false;
    this.#byNode.set(inode.node, inode);
    inode.detached = false;
    return true;
  }

  /** FORGET: `count` lookups less. An unknown id is a kernel's matter, not an error. */
  forget(nodeId: number, count: number): void {
    const inode = this.#byId.get(nodeId);
    if (inode === undefined || nodeId === ROOT_NODE_ID) return;
    inode.lookups -= count;
    this.drop(inode);
  }

  /** Removes the inode if neither the kernel nor an open file needs it. */
  drop(inode: FuseInode): void {
    if (inode.lookups > 0 || inode.opens > 0) return;
    if (!this.#byId.delete(inode.nodeId)) return;
    if (this.#byNode.get(inode.node) === inode) this.#byNode.delete(inode.node);
    this.#overlay.forget(inode.node);
  }
}
