// Filling partial files in: when there is nothing else to do, the blocks that are still the lower
// file's are copied, a bounded piece at a time; then the file is synced and becomes an ordinary one.
// When, and who waits for the disk, is the caller's business.

import { errno, FsError, isFsError } from "../errors.js";
// Not by layer's door: a mount process starts without what applies and writes archives.
import { seekOrEnd } from "../layer/file-extents.js";
import type { LayerFile, LayerNode, OwnBlocks } from "../layer/layer.js";
import {
  O_RDONLY,
  O_RDWR,
  PERMISSION_BITS,
  SEEK_DATA,
  SEEK_HOLE,
  statfsFd,
  willNeed,
} from "../sys/index.js";
import { CAPABILITY } from "./capability.js";
import { openData, ownBlocks } from "./data-place.js";
import { findPartial } from "./find-partial.js";
import { layerOf } from "./layer-of.js";
import type { Node } from "./node.js";
import type { Union } from "./union.js";
import { writeBlocks } from "./write-blocks.js";

/** Copied in one step: less than a millisecond, which a request that comes meanwhile waits. */
const STEP_BYTES = 256 * 1024;
/** Where no data are left to copy, so much is looked through in one step. */
const STEP_HOLE_BYTES = 4096 * STEP_BYTES;

const STAT_BLOCK_BYTES = 512;
/** Names of the upper that one step looks at. */
const SEEN_IN_ONE_STEP = 64;
const SETTLED_AT_ONCE = 64;
const STEPS_BETWEEN_SYNCS = 256;

/** A file that is complete, and not yet known to be on the disk. */
export interface Filled {
  readonly node: Node;
  readonly inode: LayerNode;
  /** Of the upper's file, for fsync; closed by `settle` or `giveUp`. */
  readonly file: LayerFile;
}

/** The file that is being filled in. */
interface Current {
  readonly node: Node;
  readonly blocks: OwnBlocks;
  readonly own: LayerFile;
  readonly below: LayerFile;
  /** All blocks before it are own. */
  at: number;
}

/** The partial files of one overlay. Nodes are referenced as long as they are in here. */
export class Filling {
  readonly #union: Union;
  readonly #waiting = new Set<Node>();
  readonly #filled = new Set<Node>();
  /** There was no room for them: `retry`. */
  readonly #left = new Set<Node>();
  /** Files that were taken to be synced. */
  #syncing = 0;
  /** Some file could not be filled in: it stays partial until the next mount. */
  #leftSome = false;
  #current: Current | undefined;
  /** Looks for the partial files that a former mount left; undefined once it has seen all. */
  #search: Iterator<Node | undefined> | undefined;
  #piece: Buffer | undefined;

  constructor(union: Union) {
    this.#union = union;
    if (union.upper?.mayHavePartial === true) this.#search = findPartial(union);
  }

  /** A file became partial. */
  add(node: Node): void {
    if (this.#waiting.has(node) || this.#filled.has(node) || this.#left.has(node)) return;
    this.#waiting.add(node);
    this.#union.nodes.reference(node);
  }

  /** Somebody makes it useless before it was begun. */
  drop(node: Node): void {
    if (!this.#waiting.delete(node) && !this.#left.delete(node)) return;
    node.references -= 1;
    this.#noteEnd();
  }

  /** There is something for `step` to do. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0 || this.#search !== undefined;
  }

  /** There was no room for some files. */
  get lacksRoom(): boolean {
    return this.#left.size > 0;
  }

  /** There may be room now. */
  retry(): void {
    for (const node of this.#left) this.#waiting.add(node);
    this.#left.clear();
  }

  /** One piece. Throws FsError for a file that can't be filled in (a full disk), and goes on with the next. */
  step(): void {
    const [node] = this.#waiting;
    if (node === undefined) {
      this.#lookFurther();
      return;
    }
    try {
      const isBegun = this.#current !== undefined;
      this.#current ??= this.#begin(node);
      if (this.#current === undefined) this.#done(node);
      else if (!isBegun) this.#sendFor(this.#current);
      else if (this.#fill(this.#current)) this.#done(node);
      else this.#sendFor(this.#current);
    } catch (error) {
      if (!isFsError(error)) throw error;
      this.#leave(node, isFsError(error, errno.ENOSPC, errno.EDQUOT));
      throw error;
    }
  }

  #lookFurther(): void {
    for (let seen = 0; seen < SEEN_IN_ONE_STEP; seen++) {
      const found = this.#search?.next();
      if (found?.value !== undefined) this.add(found.value);
      if (found?.done === true) {
        this.#search = undefined;
        this.#noteEnd();
        return;
      }
    }
  }

  /** When nothing is partial any more, the next mount need not look. */
  #noteEnd(): void {
    const open = this.#waiting.size + this.#left.size + this.#filled.size + this.#syncing;
    const { upper } = this.#union;
    if (open > 0 || this.#leftSome || this.#search !== undefined || upper === undefined) return;
    upper.mayHavePartial = false;
  }

  /** Undefined where nothing is to be copied: complete, whole by now, or of no use to anybody. */
  #begin(node: Node): Current | undefined {
    const union = this.#union;
    const blocks = ownBlocks(union, node);
    const { data } = node;
    if (blocks === undefined || blocks.isComplete || data === undefined) return undefined;
    if (isUseless(node)) return undefined;
    const own = layerOf(union, node).open(node.inode, O_RDWR);
    try {
      const below = openData(union, data, O_RDONLY);
      try {
        requireRoom(own, below);
      } catch (error) {
        below.close();
        throw error;
      }
      return { node, blocks, own, below, at: 0 };
    } catch (error) {
      own.close();
      throw error;
    }
  }

  /** Has the disk bring the next piece meanwhile, so that nobody waits for it. */
  #sendFor({ below, at }: Current): void {
    if (below.fd !== undefined) willNeed(below.fd, at, STEP_BYTES);
  }

  /** Copies the next piece; true when none is left. */
  #fill(current: Current): boolean {
    const { blocks, below, node } = current;
    if (isUseless(node)) return true;
    const { limitBytes, blockBytes } = blocks;
    let { at } = current;
    const until = Math.min(at + STEP_HOLE_BYTES, limitBytes);
    while (at < until) {
      const end = blocks.runEnd(at, until);
      if (blocks.owns(at)) {
        at = end;
        continue;
      }
      const found = seekOrEnd(below, at, SEEK_DATA, end);
      const data = Math.max(at, Math.floor(Math.min(found, end) / blockBytes) * blockBytes);
      // Below is a hole, here is one: nothing is to be written.
      if (found >= end || data > at) {
        blocks.wrote(at, found >= end ? end : data);
        at = found >= end ? end : data;
        continue;
      }
      const hole = seekOrEnd(below, found, SEEK_HOLE, end);
      const stop = Math.min(at + STEP_BYTES, Math.ceil(hole / blockBytes) * blockBytes, end);
      this.#copy(current, at, stop);
      at = stop;
      break;
    }
    current.at = at;
    return at >= blocks.limitBytes;
  }

  #copy({ node, own, below, blocks }: Current, start: number, end: number): void {
    const length = Math.min(end, blocks.limitBytes) - start;
    this.#piece ??= Buffer.allocUnsafeSlow(STEP_BYTES);
    const piece = this.#piece.subarray(0, length);
    for (let done = 0; done < length; ) {
      const count = below.read(piece, done, length - done, start + done);
      if (count === 0) piece.fill(0, done);
      done = count === 0 ? length : done + count;
    }
    const before = own.stat();
    const upper = this.#union.writable("fill");
    const capability = upper.getxattr(node.inode, CAPABILITY);
    try {
      const count = writeBlocks(own, blocks, piece, 0, length, start);
      if (count < length) throw new FsError(errno.ENOSPC, "fill");
    } finally {
      // Writing takes capabilities away, and without CAP_FSETID set-id bits (fs/inode.c,
      // file_remove_privs): nobody has written but we.
      const isStripped = own.stat().mode !== before.mode;
      upper.setattr(node.inode, {
        ...(isStripped ? { mode: before.mode & PERMISSION_BITS } : {}),
        mtime: { sec: before.mtimeSec, nsec: before.mtimeNsec },
      });
      if (capability !== undefined) upper.setxattr(node.inode, CAPABILITY, capability, 0);
    }
  }

  #done(node: Node): void {
    this.#closeCurrent();
    this.#waiting.delete(node);
    const blocks = ownBlocks(this.#union, node);
    if (blocks?.isComplete === true && !isUseless(node)) this.#filled.add(node);
    else this.#union.nodes.forget(node, 1);
    this.#noteEnd();
  }

  #leave(node: Node, lacksRoom: boolean): void {
    this.#closeCurrent();
    this.#waiting.delete(node);
    if (lacksRoom) {
      this.#left.add(node);
      return;
    }
    this.#leftSome = true;
    this.#union.nodes.forget(node, 1);
  }

  #closeCurrent(): void {
    const current = this.#current;
    this.#current = undefined;
    current?.own.close();
    current?.below.close();
  }

  /** There are complete files to be synced. */
  get hasFilled(): boolean {
    return this.#filled.size > 0;
  }

  /** Up to `count` files that are complete, for the caller to sync; then `settle` or `giveUp`. */
  takeFilled(count: number): Filled[] {
    const taken: Filled[] = [];
    for (const node of this.#filled) {
      if (taken.length === count) break;
      this.#filled.delete(node);
      try {
        const { inode } = node;
        taken.push({ node, inode, file: layerOf(this.#union, node).open(inode, O_RDONLY) });
      } catch (error) {
        if (!isFsError(error)) throw error;
        this.#leftSome = true;
        this.#union.nodes.forget(node, 1);
      }
    }
    this.#syncing += taken.length;
    return taken;
  }

  /** It is on the disk: an ordinary file from here on. Throws FsError. */
  settle({ node, inode, file }: Filled): void {
    const union = this.#union;
    this.#syncing -= 1;
    file.close();
    try {
      const isSame = node.inode === inode;
      if (isSame && ownBlocks(union, node)?.isComplete === true && !isUseless(node)) {
        union.writable("settle").finishBlocks(node.inode);
        node.data = undefined;
        node.redirect = undefined;
        node.dataVersion += 1;
      }
    } catch (error) {
      this.#leftSome = true;
      throw error;
    } finally {
      union.nodes.forget(node, 1);
      this.#noteEnd();
    }
  }

  /** It could not be synced, and stays partial. */
  giveUp({ node, file }: Filled): void {
    this.#syncing -= 1;
    this.#leftSome = true;
    file.close();
    this.#union.nodes.forget(node, 1);
  }

  #settleNow(filled: Filled): void {
    try {
      filled.file.sync(true);
    } catch (error) {
      this.giveUp(filled);
      throw error;
    }
    this.settle(filled);
  }

  /**
   * All at once, however long it takes, unless `isEnough` says so meanwhile; `report` hears of files
   * that stay partial.
   */
  finish(report: (error: FsError) => void, isEnough: () => boolean = () => false): void {
    const attempt = (act: () => void): void => {
      try {
        act();
      } catch (error) {
        if (!isFsError(error)) throw error;
        report(error);
      }
    };
    this.retry();
    for (let steps = 1; (this.isWaiting || this.hasFilled) && !isEnough(); steps++) {
      if (this.isWaiting) {
        attempt(() => this.step());
        // Whoever says that it is enough must not wait long for the last sync.
        if (steps % STEPS_BETWEEN_SYNCS === 0) attempt(() => this.#current?.own.sync(true));
        continue;
      }
      for (const filled of this.takeFilled(SETTLED_AT_ONCE)) {
        attempt(() => this.#settleNow(filled));
      }
    }
  }

  /**
   * The upper is frozen: its partial files stay as they are, and are read together with what is below
   * them; those of the next upper are filled in.
   */
  startAnew(): void {
    this.#closeCurrent();
    const left = [...this.#waiting, ...this.#left, ...this.#filled];
    this.#waiting.clear();
    this.#left.clear();
    this.#filled.clear();
    this.#search = undefined;
    this.#leftSome = false;
    for (const node of left) this.#union.nodes.forget(node, 1);
  }

  /** Ends without filling: the next mount goes on. */
  close(): void {
    this.#closeCurrent();
  }
}

/**
 * The last free blocks are left to those who write. Throws FsError ENOSPC where filling in would take
 * more than there are.
 */
function requireRoom(own: LayerFile, below: LayerFile): void {
  if (own.fd === undefined) return;
  const { bfree, frsize } = statfsFd(own.fd);
  const missingBytes = (below.stat().blocks - own.stat().blocks) * STAT_BLOCK_BYTES;
  if (missingBytes > Number(bfree) * frsize) throw new FsError(errno.ENOSPC, "fill");
}

/** Nobody can reach the file any more, but by us. */
function isUseless(node: Node): boolean {
  return node.unlinked && node.references <= 1;
}
