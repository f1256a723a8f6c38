// The inodes the kernel knows: node ids, how often each was looked up, how its open files are
// served. Node ids count up and are never used again. What an inode is lies in overlay/. Where there
// are very many, files that nobody uses are kept as records only (dormant-inodes.ts).

import { errno, FsError } from "../../errors.js";
import type { Node, Overlay } from "../../overlay/index.js";
import type { Name } from "../../path.js";
import { ROOT_NODE_ID } from "../wire/protocol.js";
import {
  type DormantInode,
  DormantInodes,
  MAX_DORMANT_ID,
  MAX_DORMANT_LOOKUPS,
} from "./dormant-inodes.js";
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
  /** Of a directory: names in it that are kept as records. */
  dormant = 0;
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

/** So many are kept with all that is known of them; a large tree's listing is read again and again. */
const MAX_AWAKE = 131_072;

const WAS_OPENED = 1;
const CACHE_VALID = 2;

/** The inode that shows a node now. An overlay has one table. */
function shownAs(node: Node): FuseInode | undefined {
  return node.shownAs instanceof FuseInode ? node.shownAs : undefined;
}

function hide(inode: FuseInode): void {
  if (inode.node.shownAs === inode) inode.node.shownAs = undefined;
}

/** All inodes the kernel may name in a request. */
export class InodeTable {
  readonly #overlay: Overlay;
  readonly #byId = new Map<number, FuseInode>();
  readonly #dormant = new DormantInodes();
  readonly #maxAwake: number;
  /** Goes round and round, in the order of their coming. */
  #clock: Iterator<FuseInode> = this.#byId.values();
  /** Inodes that may be looked at: two for each that came, so that no request looks at many in vain. */
  #looks = 0;
  #nextId = ROOT_NODE_ID;

  constructor(overlay: Overlay, maxAwake = MAX_AWAKE) {
    this.#overlay = overlay;
    this.#maxAwake = maxAwake;
    this.current(overlay.root).lookups = 1;
  }

  get size(): number {
    return this.#byId.size + this.#dormant.size;
  }

  /** Those of them that are kept as records. */
  get dormant(): number {
    return this.#dormant.size;
  }

  /** The inode of a node id. Throws ESTALE for one the kernel has forgotten. */
  get(nodeId: number): FuseInode {
    const inode = this.#byId.get(nodeId) ?? this.#wake(nodeId);
    if (inode === undefined) throw new FsError(errno.ESTALE, "find inode", String(nodeId));
    return inode;
  }

  /** The inode that shows a node now, if the kernel has it. */
  known(node: Node): FuseInode | undefined {
    return shownAs(node) ?? this.#wakeFor(node);
  }

  /** The inode that shows a node now, made if need be; the caller counts its lookup. */
  current(node: Node): FuseInode {
    return this.known(node) ?? this.#enter(new FuseInode(this.#nextId++, node));
  }

  #enter(inode: FuseInode): FuseInode {
    this.#overlay.reference(inode.node);
    this.#byId.set(inode.nodeId, inode);
    inode.node.shownAs = inode;
    this.#looks += 2;
    return inode;
  }

  /** To be called before a name is made to mean something else: what it means may be a record by name. */
  wakeName(directory: FuseInode, name: Name): void {
    if (directory.dormant > 0) this.#wake(this.#dormant.find(directory.nodeId, name));
  }

  /** Finds the node of a record again. Throws FsError. */
  #wake(nodeId: number): FuseInode | undefined {
    if (!this.#dormant.has(nodeId)) return undefined;
    const inode = this.#dormant.take(nodeId);
    const directory = this.#byId.get(inode?.parentId ?? 0);
    if (inode === undefined || directory === undefined) return undefined;
    try {
      const node = this.#overlay.lookup(directory.node, inode.name);
      if (node !== undefined) return this.#awake(nodeId, node, inode, directory);
    } catch (error) {
      this.#dormant.add(nodeId, inode);
      throw error;
    }
    // A layer was changed by others.
    directory.dormant -= 1;
    this.drop(directory);
    return undefined;
  }

  /** The inode of a node that was just found, where that is kept as a record. */
  #wakeFor(node: Node): FuseInode | undefined {
    const { parent } = node;
    const directory = parent === undefined ? undefined : shownAs(parent);
    if (directory === undefined || directory.dormant === 0) return undefined;
    const nodeId = this.#dormant.find(directory.nodeId, node.name);
    const inode = nodeId === 0 ? undefined : this.#dormant.take(nodeId);
    return inode === undefined ? undefined : this.#awake(nodeId, node, inode, directory);
  }

  #awake(nodeId: number, node: Node, was: DormantInode, directory: FuseInode): FuseInode {
    const inode = new FuseInode(nodeId, node);
    inode.lookups = was.lookups;
    inode.wasOpened = (was.flags & WAS_OPENED) !== 0;
    inode.cacheValid = (was.flags & CACHE_VALID) !== 0;
    this.#enter(inode);
    directory.dormant -= 1;
    return inode;
  }

  /** Makes records of some, if there are too many. Only between requests. */
  settle(): void {
    if (this.#byId.size <= this.#maxAwake) {
      this.#looks = 0;
      return;
    }
    for (; this.#looks > 0 && this.#byId.size > this.#maxAwake; this.#looks--) {
      const next = this.#clock.next();
      if (next.done === true) this.#clock = this.#byId.values();
      else this.#putToSleep(next.value);
    }
  }

  /** Makes a record of a file that its name leads to again, and of which no more is to be known. */
  #putToSleep(inode: FuseInode): void {
    const { node, nodeId, lookups } = inode;
    const { parent, name } = node;
    const isUsed = inode.opens > 0 || inode.detached || inode.mayBeMapped;
    if (isUsed || lookups <= 0 || lookups > MAX_DORMANT_LOOKUPS) return;
    if (inode.mode !== "none" || inode.backing !== undefined) return;
    if (parent === undefined || nodeId > MAX_DORMANT_ID || !this.#overlay.isFoundAgain(node))
      return;
    const directory = shownAs(parent);
    if (directory === undefined || directory.nodeId > MAX_DORMANT_ID) return;
    const flags = (inode.wasOpened ? WAS_OPENED : 0) | (inode.cacheValid ? CACHE_VALID : 0);
    this.#dormant.add(nodeId, { parentId: directory.nodeId, name, lookups, flags });
    directory.dormant += 1;
    this.#byId.delete(nodeId);
    node.shownAs = undefined;
    this.#overlay.forget(node);
  }

  /** From now on the node is shown by another inode; open files stay with this one. */
  detach(inode: FuseInode): void {
    inode.detached = true;
    inode.cacheValid = false;
    hide(inode);
  }

  /** Makes a detached inode without open files the current one, unless another has that place. */
  attach(inode: FuseInode): boolean {
    if (inode.node.shownAs !== undefined) return false;
    inode.node.shownAs = inode;
    inode.detached = false;
    return true;
  }

  /** FORGET: `count` lookups less. An unknown id is a kernel's matter, not an error. */
  forget(nodeId: number, count: number): void {
    const inode = this.#byId.get(nodeId);
    if (inode === undefined) this.#forgetDormant(nodeId, count);
    if (inode === undefined || nodeId === ROOT_NODE_ID) return;
    inode.lookups -= count;
    this.drop(inode);
  }

  #forgetDormant(nodeId: number, count: number): void {
    const gone = this.#dormant.forget(nodeId, count);
    const directory = gone === undefined ? undefined : this.#byId.get(gone.parentId);
    if (directory === undefined) return;
    directory.dormant -= 1;
    this.drop(directory);
  }

  /** Removes the inode if neither the kernel nor an open file nor a record needs it. */
  drop(inode: FuseInode): void {
    if (inode.lookups > 0 || inode.opens > 0 || inode.dormant > 0) return;
    if (!this.#byId.delete(inode.nodeId)) return;
    hide(inode);
    this.#overlay.forget(inode.node);
  }
}
