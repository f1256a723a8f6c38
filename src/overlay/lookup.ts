// Looking a name up in the merged tree: one loop over the layers of a directory, topmost first.
// It knows whiteouts, opaque directories, redirects and metadata-only files (overlayfs.rst), and
// makes no nodes: node-table.ts does. The result is one reused object, so a lookup makes no garbage.

import { errno, FsError } from "../errors.js";
// Not by layer's door: a mount process starts without what applies and writes archives.
import {
  type Layer,
  type LayerMarks,
  type LayerNode,
  type Standing,
  type UpperLayer,
  WHITEOUT,
} from "../layer/layer.js";
import { type ByteString, isName, type LayerPath, type Name, textOf } from "../path.js";
import { isDirectory, isRegular, type Stat } from "../sys/index.js";
import type { InodeNumbers } from "./inode-numbers.js";
import { type Merged, NO_PARTS, type Part } from "./node.js";

/**
 * What the layers say of a name, by what the caller must do next:
 * - absent: answer ENOENT; a creation writes to the upper directory, nothing is in the way.
 * - whiteout: answer ENOENT; a new directory must be opaque, lest what is hidden shows in it.
 * - lower: read it where it lies; copy it up before changing it.
 * - upper: read and change it where it lies.
 */
export type LookupState = "absent" | "whiteout" | "lower" | "upper";

/** What the layers are to a lookup. */
export interface LayersView {
  /** By slot: base first. */
  readonly layers: readonly Layer[];
  /** -1 where there is no upper. */
  readonly upperSlot: number;
  /** From this slot on layers are this tree's own uppers, frozen but for the last: their files are marked. */
  readonly levelSlot: number;
  /** The layers below this slot have not changed since the union was made. */
  readonly fixedSlots: number;
  readonly numbers: InodeNumbers;
  /** The upper, or what was one, in a slot; undefined below `levelSlot`. */
  levelAt(slot: number): UpperLayer | undefined;
}

/** A lookup and its result; the fields hold until the next one. */
export class Lookup {
  state: LookupState = "absent";
  slot = -1;
  inode: LayerNode | undefined = undefined;
  lower: readonly Part[] = NO_PARTS;
  /** st_ino to show. */
  ino = 0n;
  /** What the upper itself has at this name. */
  standing: Standing = "absent";
  /** The mark `redirect` of the upper directory, or of a file whose data lie below. */
  redirect: ByteString | undefined = undefined;
  /** Where the data of an upper file with the mark `metacopy` are. */
  data: Part | undefined = undefined;

  readonly #view: LayersView;
  /** The name that was asked for. */
  name: Name = "" as Name;
  #sought: Name = "" as Name;
  #parts: Part[] | undefined = undefined;
  /** Files with some blocks of their own, on the way to the data of the others. */
  #partial: Part[] | undefined = undefined;
  #ownIno = false;
  #wantsData = false;

  constructor(view: LayersView) {
    this.#view = view;
  }

  /** What the merged directory has under a name. */
  in(directory: Merged, name: Name): LookupState {
    this.#begin(name);
    if (!this.#visit(directory.slot, directory.inode)) this.#visitAll(directory.lower);
    return this.#end();
  }

  /**
   * As `in`, where a listing found the name in the layer `from`: the layers above it that never
   * change need not be asked, as they have neither the name nor a whiteout of it.
   */
  inFrom(directory: Merged, name: Name, from: number): LookupState {
    this.#begin(name);
    if (this.#maySkip(directory.slot, from) || !this.#visit(directory.slot, directory.inode)) {
      for (const { slot, inode } of directory.lower) {
        if (!this.#maySkip(slot, from) && this.#visit(slot, inode)) break;
      }
    }
    return this.#end();
  }

  #maySkip(slot: number, from: number): boolean {
    return slot > from && slot < this.#view.fixedSlots;
  }

  /** What it has without the upper: what a whiteout would hide. */
  below(directory: Merged, name: Name): LookupState {
    this.#begin(name);
    const isUpper = directory.slot === this.#view.upperSlot;
    if (isUpper || !this.#visit(directory.slot, directory.inode)) this.#visitAll(directory.lower);
    return this.#end();
  }

  /** The data of what was found are nowhere: the layers below are not those of the upper. */
  get lacksData(): boolean {
    return this.#wantsData && this.data === undefined;
  }

  #begin(name: Name): void {
    this.state = "absent";
    this.inode = undefined;
    this.lower = NO_PARTS;
    this.standing = "absent";
    this.redirect = undefined;
    this.data = undefined;
    this.name = name;
    this.#sought = name;
    this.#parts = undefined;
    this.#partial = undefined;
    this.#wantsData = false;
  }

  #visitAll(parts: readonly Part[]): void {
    for (const part of parts) if (this.#visit(part.slot, part.inode)) return;
  }

  #end(): LookupState {
    if (this.#parts !== undefined) this.lower = this.#parts;
    if (this.#partial !== undefined && this.data !== undefined) {
      for (const part of this.#partial.reverse()) this.data = { ...part, data: this.data };
    }
    return this.state;
  }

  /** Asks one layer; true when no other layer is to be asked. */
  #visit(slot: number, directory: LayerNode): boolean {
    const layer = this.#view.layers[slot];
    const said = layer?.lookup(directory, this.#sought);
    if (layer === undefined || said === undefined) return false;
    if (said === WHITEOUT) {
      if (this.state === "absent") this.state = "whiteout";
      if (slot === this.#view.upperSlot) this.standing = "whiteout";
      return true;
    }
    return isDirectory(said.stat.mode)
      ? this.#visitDirectory(layer, slot, said)
      : this.#visitFile(layer, slot, said, directory);
  }

  #visitFile(layer: Layer, slot: number, inode: LayerNode, directory: LayerNode): boolean {
    const seeksData = this.#wantsData && isRegular(inode.stat.mode);
    // A file below a directory does not merge with it, and ends the merge.
    if (this.inode !== undefined && !seeksData) return true;
    const isUpper = slot === this.#view.upperSlot;
    const isLevel = slot >= this.#view.levelSlot;
    // Of other layers only a file without its data has marks: reading them all would cost each lookup.
    const asks = isLevel || mayLackData(layer, slot, directory, inode.stat);
    const marks = asks ? layer.marks(inode) : undefined;
    if (seeksData) this.data = { slot, inode };
    else this.#take(slot, inode, isLevel ? marks : undefined);
    if (isUpper) this.standing = "file";
    if (marks?.metacopy !== true) return true;
    this.data = undefined;
    this.#wantsData = true;
    if (seeksData && isPartial(this.#view, { slot, inode })) {
      this.#partial ??= [];
      this.#partial.push({ slot, inode });
    }
    if (isUpper) this.redirect = marks.redirect;
    if (marks.redirect === undefined) return false;
    return this.#follow(slot, marks.redirect, (part) => {
      this.data = part;
    });
  }

  #visitDirectory(layer: Layer, slot: number, inode: LayerNode): boolean {
    if (this.#wantsData) return true;
    // Nothing lies below the base: its marks can say nothing.
    const marks = slot > 0 ? layer.marks(inode) : undefined;
    if (this.inode === undefined) this.#take(slot, inode, marks);
    else this.#merge(slot, inode, marks);
    if (slot === this.#view.upperSlot) {
      this.standing = "directory";
      this.redirect = marks?.redirect;
    }
    if (marks === undefined || marks.opaque) return true;
    if (marks.redirect === undefined) return false;
    return this.#follow(slot, marks.redirect, (part) => {
      this.#merge(part.slot, part.inode, undefined);
    });
  }

  /** Goes on where a redirect leads; `found` gets what an absolute one gives. True: look no further. */
  #follow(slot: number, redirect: ByteString, found: (part: Part) => void): boolean {
    if (redirect.startsWith("/")) {
      const target = resolveBelow(this.#view, slot, redirect.slice(1) as LayerPath);
      for (const part of target) found(part);
      return true;
    }
    if (!isName(redirect)) throw new FsError(errno.EIO, "follow redirect", textOf(redirect));
    this.#sought = redirect;
    return false;
  }

  #take(slot: number, inode: LayerNode, marks: LayerMarks | undefined): void {
    this.state = slot === this.#view.upperSlot ? "upper" : "lower";
    this.slot = slot;
    this.inode = inode;
    this.ino = marks?.originIno ?? this.#view.numbers.shown(slot, inode.stat.ino);
    this.#ownIno = slot < this.#view.levelSlot || marks?.originIno !== undefined;
  }

  #merge(slot: number, inode: LayerNode, marks: LayerMarks | undefined): void {
    this.#parts ??= [];
    this.#parts.push({ slot, inode });
    // An upper directory without our mark (another tool's, or the root) shows its lower's number.
    if (this.#ownIno) return;
    this.ino = marks?.originIno ?? this.#view.numbers.shown(slot, inode.stat.ino);
    this.#ownIno = slot < this.#view.levelSlot || marks?.originIno !== undefined;
  }
}

const BLOCK_BYTES = 512;

/**
 * A file of metadata alone is a hole from its beginning to its end. But its marks may take a block
 * of their own, as much as the data of a small file would: then its directory tells (overlayfs
 * "impure"). Below the base there is nothing to ask for.
 */
function mayLackData(layer: Layer, slot: number, directory: LayerNode, stat: Stat): boolean {
  if (!isRegular(stat.mode) || stat.sizeBytes === 0) return false;
  if (stat.blocks * BLOCK_BYTES < stat.sizeBytes) return true;
  return slot > 0 && layer.marks(directory).impure;
}

/** The roots of all layers below a slot, topmost first. */
export function rootsBelow(view: LayersView, slot: number): Part[] {
  const parts: Part[] = [];
  for (let below = slot - 1; below >= 0; below--) {
    const layer = view.layers[below];
    if (layer !== undefined) parts.push({ slot: below, inode: layer.root });
  }
  return parts;
}

/**
 * Where a path leads in the union of the layers below a slot: the parts of what is there, topmost
 * first; none when nothing is. Symlinks are not followed. Throws FsError EIO for what is no path.
 */
export function resolveBelow(view: LayersView, slot: number, path: LayerPath): readonly Part[] {
  let parts: readonly Part[] = rootsBelow(view, slot);
  if (path === "") return parts;
  const lookup = new Lookup(view);
  for (const name of path.split("/")) {
    if (!isName(name)) throw new FsError(errno.EIO, "follow redirect", textOf(path));
    const [top, ...lower] = parts;
    if (top === undefined || !isDirectory(top.inode.stat.mode)) return NO_PARTS;
    lookup.in({ ...top, lower }, name);
    if (lookup.inode === undefined) return NO_PARTS;
    const { slot, inode, data } = lookup;
    parts = [
      data === undefined ? { slot, inode } : dataHolder(view, { slot, inode, data }),
      ...lookup.lower,
    ];
  }
  return parts;
}

/** True for a file of an upper, frozen or not, that has some blocks of its own and some below. */
export function isPartial(view: LayersView, part: Part): boolean {
  return view.levelAt(part.slot)?.ownBlocks(part.inode) !== undefined;
}

/** What has the data of a file: itself, unless it is of metadata only. */
export function dataHolder(view: LayersView, part: Part): Part {
  const { slot, inode, data } = part;
  return data === undefined || isPartial(view, part) ? { slot, inode, data } : data;
}
