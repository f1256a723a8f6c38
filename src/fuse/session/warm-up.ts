// Warming up: while nobody asks for anything, the first names of the tree are looked up and
// encoded as a listing would be. Afterwards the code is compiled and the layers' directories are
// in the kernel's caches, and the first real walk takes about half the time (native-notes).

import type { DirectoryEntry, DirectoryHandle, Node, Overlay } from "../../overlay/index.js";
import { ENTRY_BYTES, OUT_HEADER_BYTES } from "../wire/protocol.js";
import type { Reply } from "../wire/reply.js";
import type { InodeTable } from "./inode-table.js";

/** Enough for the compiler; more would be work for nothing. */
const MAX_NAMES = 4_000;

/** A walk through the tree, breadth first, one name a step. It leaves nothing behind. */
export class WarmUp {
  readonly #overlay: Overlay;
  readonly #inodes: InodeTable;
  readonly #reply: Reply;
  readonly #waiting: Node[] = [];
  #directory: DirectoryHandle | undefined;
  #index = 0;
  #names = 0;

  constructor(overlay: Overlay, inodes: InodeTable, reply: Reply) {
    this.#overlay = overlay;
    this.#inodes = inodes;
    this.#reply = reply;
    this.#keep(overlay.root);
  }

  get isDone(): boolean {
    return this.#directory === undefined && this.#waiting.length === 0;
  }

  /** One name, or the opening of one directory. An error ends the whole walk. */
  step(): void {
    this.#directory ??= this.#openNext();
    const entry = this.#directory?.entries[this.#index++];
    if (this.#directory === undefined || entry === undefined) {
      this.#closeDirectory();
      return;
    }
    this.#names += 1;
    if (entry.name !== "." && entry.name !== "..") this.#visit(this.#directory.node, entry);
    if (this.#names >= MAX_NAMES) this.stop();
  }

  /** Ends the walk and lets go of everything. */
  stop(): void {
    this.#closeDirectory();
    for (const node of this.#waiting.splice(0)) this.#overlay.forget(node);
  }

  #openNext(): DirectoryHandle | undefined {
    const node = this.#waiting.shift();
    if (node === undefined) return undefined;
    try {
      return this.#overlay.opendir(node);
    } finally {
      this.#overlay.forget(node);
    }
  }

  #closeDirectory(): void {
    this.#directory?.close();
    this.#directory = undefined;
    this.#index = 0;
  }

  /** What readdirplus does with a name, but for the lookup that it counts. */
  #visit(directory: Node, entry: DirectoryEntry): void {
    const node = this.#overlay.lookupEntry(directory, entry);
    if (node === undefined) return;
    const stat = this.#overlay.stat(node);
    const inode = this.#inodes.current(node);
    this.#reply.entry(OUT_HEADER_BYTES, inode.nodeId, stat, 0);
    const offset = OUT_HEADER_BYTES + ENTRY_BYTES;
    this.#reply.dirent(offset, entry.ino, 1, entry.type, entry.name);
    if (node.isDirectory) this.#keep(node);
    this.#inodes.drop(inode);
  }

  #keep(node: Node): void {
    this.#overlay.reference(node);
    this.#waiting.push(node);
  }
}
