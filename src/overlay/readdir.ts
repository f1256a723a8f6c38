// Merged directories as lists. A listing is a snapshot: an entry's offset is its place in the list,
// so offsets hold while the directory changes. Inode numbers of upper entries are found when asked
// for: readdirplus looks every name up anyway.

import type { LayerDirent } from "../layer/index.js";
import { type ByteString, bytesOf, type Name } from "../path.js";
import { DT_DIR } from "../sys/index.js";
import { layerOf } from "./layer-of.js";
import type { Merged, Node, Part } from "./node.js";
import type { Union } from "./union.js";

/** One name of a listing. `type` is a DT_* number. */
export class DirectoryEntry {
  readonly name: ByteString;
  readonly type: number;
  /** The layer that the listing found it in: those above it have nothing of this name. */
  readonly slot: number;
  readonly #ino: bigint | (() => bigint);

  constructor(name: ByteString, type: number, slot: number, ino: bigint | (() => bigint)) {
    this.name = name;
    this.type = type;
    this.slot = slot;
    this.#ino = ino;
  }

  /** The st_ino that stat shows. */
  get ino(): bigint {
    return typeof this.#ino === "bigint" ? this.#ino : this.#ino();
  }
}

/** An open directory. Its listing is made when first asked for, and again after `rewind`. */
export class DirectoryHandle {
  readonly node: Node;
  readonly #union: Union;
  #entries: readonly DirectoryEntry[] | undefined;
  /** What `readOn` has read, by part: topmost first. */
  #read: LayerDirent[][] = [];
  /** Of the union, when the first of it was read. */
  #readVersion: number | undefined;

  constructor(union: Union, node: Node) {
    this.#union = union;
    this.node = node;
    union.nodes.reference(node);
  }

  /** "." and ".." first; an entry's offset is its index plus one. */
  get entries(): readonly DirectoryEntry[] {
    this.#entries ??= listDirectory(this.#union, this.node, this.#read);
    return this.#entries;
  }

  /** Reads the next layer of those that `entries` is made of; false when all are read. Throws FsError. */
  readOn(): boolean {
    if (this.#entries !== undefined || this.node.unlinked) return false;
    const { length } = this.#read;
    const part = length === 0 ? this.node : this.node.lower[length - 1];
    if (part === undefined) return false;
    this.#readVersion ??= this.#union.version;
    this.#read.push(layerOf(this.#union, part).readdir(part.inode));
    return true;
  }

  /** To be called before the first look at `entries`: what was read ahead is forgotten if the tree has changed since. */
  settle(): void {
    if (this.#readVersion !== undefined && this.#readVersion !== this.#union.version) this.rewind();
  }

  /** The next look at `entries` sees the directory as it is then. */
  rewind(): void {
    this.#entries = undefined;
    this.#read = [];
    this.#readVersion = undefined;
  }

  close(): void {
    this.#union.nodes.forget(this.node, 1);
  }
}

const DOT = bytesOf(".");
const DOT_DOT = bytesOf("..");

function listDirectory(union: Union, node: Node, read: LayerDirent[][]): DirectoryEntry[] {
  const parent = node.parent ?? node;
  const entries = [
    new DirectoryEntry(DOT, DT_DIR, node.slot, node.ino),
    new DirectoryEntry(DOT_DOT, DT_DIR, parent.slot, parent.ino),
  ];
  if (node.unlinked) return entries;
  const visit = (dirent: LayerDirent, part: Part): boolean => {
    const { name, type, ino } = dirent;
    const { slot } = part;
    // Marks may say another number: those of uppers, and of directories anywhere above the base.
    const isMarked = slot >= union.levelSlot || (slot > 0 && type === DT_DIR);
    const shown = union.numbers.shown(slot, ino);
    const entryIno = isMarked ? () => inoOfEntry(union, node, name, shown) : shown;
    entries.push(new DirectoryEntry(name, type, slot, entryIno));
    return true;
  };
  forEachEntry(union, node, visit, read);
  return entries;
}

/** What may be a copy shows its original's number. */
function inoOfEntry(union: Union, directory: Node, name: Name, otherwise: bigint): bigint {
  return union.nodes.child(directory, name)?.ino ?? otherwise;
}

/**
 * All names of a merged directory, each once, with the part that shows it; `visit` returns false
 * to end. Whiteouts hide, and are not shown. `read` is what was read of the topmost parts already.
 */
export function forEachEntry(
  union: Union,
  directory: Merged,
  visit: (dirent: LayerDirent, part: Part) => boolean,
  read: readonly LayerDirent[][] = [],
): void {
  const top = read[0] ?? layerOf(union, directory).readdir(directory.inode);
  if (directory.lower.length === 0) {
    for (const dirent of top) if (!dirent.whiteout && !visit(dirent, directory)) return;
    return;
  }
  const seen = new Set<Name>();
  const show = (dirents: readonly LayerDirent[], part: Part): boolean => {
    for (const dirent of dirents) {
      if (seen.has(dirent.name)) continue;
      seen.add(dirent.name);
      if (!dirent.whiteout && !visit(dirent, part)) return false;
    }
    return true;
  };
  if (!show(top, directory)) return;
  for (const [at, part] of directory.lower.entries()) {
    if (!show(read[at + 1] ?? layerOf(union, part).readdir(part.inode), part)) return;
  }
}

/** True when nothing shows in the merged directory. */
export function isEmptyDirectory(union: Union, directory: Merged): boolean {
  let isEmpty = true;
  forEachEntry(union, directory, () => {
    isEmpty = false;
    return false;
  });
  return isEmpty;
}
