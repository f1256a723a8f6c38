// The files of a directory upper whose data lie below, wholly (metadata-only copies, overlayfs
// "metacopy") or in part: which blocks are the upper's own, durably. Reading and writing them
// takes the lower file and is overlay/'s.
//
// The map on the disk is the file's own list of extents. A block is the file's own when data are
// written there, since the file systems that we do this on record an extent as written only after
// its data; space that is only allocated does not count. So a write needs neither a record of its
// own nor an order, and after a crash a block is the lower's or the one that was written.

import { assert } from "../assert.js";
import { errno, isFsError } from "../errors.js";
import { bufferOf, bytesOf, ITSELF } from "../path.js";
import {
  BTRFS_SUPER_MAGIC,
  close,
  EXT4_SUPER_MAGIC,
  forEachWrittenExtent,
  getxattrAt,
  type InodeFlagsForm,
  isRoot,
  O_RDONLY,
  O_RDWR,
  removexattrAt,
  setxattrAt,
  statFd,
  statfsFd,
  UTIME_OMIT,
  utimensAt,
  XFS_SUPER_MAGIC,
} from "../sys/index.js";
import { BlockMap } from "./block-map.js";
import { beginCopy, type CopyUpTools } from "./copy-up.js";
import { type DirectoryDialect, DirectoryLayer, nameFor } from "./directory-layer.js";
import { type DirectoryNode, directoryNodeOf, type PartialMap } from "./directory-node.js";
import { writeInodeFlags } from "./inode-flags.js";
import type { InodeWriter } from "./inode-writer.js";
import type { LayerFile, LayerNode, OwnBlocks } from "./layer.js";
import { MARK_NAMES } from "./whiteout.js";
import type { WorkDirectory } from "./work-directory.js";
import { type BlocksMark, formatBlocksMark, parseBlocksMark, withRange } from "./zero-ranges.js";

const NOTED = bytesOf("y");
/** Nothing is recorded: it was not truncated since the last mount, and nothing was zeroed. */
const UNCUT: BlocksMark = { limitBytes: Number.POSITIVE_INFINITY, zeros: [] };

/** Their extents tell written from allocated, and reach the disk after their data. */
const TRUSTED_MAGICS: readonly number[] = [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC];

/** What an upper's partial files need besides the layer. */
export interface PartialOptions {
  readonly work: WorkDirectory;
  readonly writer: InodeWriter;
  readonly durable: boolean;
}

/** A directory layer with files whose data lie below. All methods throw FsError. */
export class PartialLayer extends DirectoryLayer {
  readonly tools: CopyUpTools;
  readonly leavesData: boolean;
  readonly #workFd: number;
  readonly #blockBytes: number;
  #mayHavePartial: boolean;

  constructor(title: string, rootFd: number, dialect: DirectoryDialect, options: PartialOptions) {
    super(title, rootFd, dialect);
    const { work, writer, durable } = options;
    const marks = MARK_NAMES[dialect.xattrPrefix];
    const { type, bsize } = statfsFd(rootFd);
    this.#workFd = work.indexFd;
    // The unit of extents, also where a page has several: in a larger one a single byte would not count as written.
    this.#blockBytes = bsize;
    const blockBytes = TRUSTED_MAGICS.includes(type) ? this.#blockBytes : 0;
    const redirects = work.form.xattrPrefix !== undefined;
    const { recordName } = dialect;
    // ext4 has no FICLONE.
    const clones = type !== EXT4_SUPER_MAGIC;
    const zeroesEnds = type === BTRFS_SUPER_MAGIC;
    const makesModes = recordName === undefined && isRoot();
    const common = { writer, marks, redirects, durable, recordName, makesModes };
    this.tools = { ...common, blockBytes, zeroesEnds, clones };
    const isNoted = getxattrAt(this.#workFd, ITSELF, marks.partial) !== undefined;
    // Marks in user.* can't be changed on a file that its owner may not write.
    const records = dialect.recordName !== undefined;
    const mayMark = redirects && (dialect.xattrPrefix === "trusted" || records || isRoot());
    this.leavesData = work.use === "own" && mayMark && (isNoted || this.#canMark());
    this.#mayHavePartial = work.use === "own" && isNoted;
  }

  setInodeFlags(node: LayerNode, form: InodeFlagsForm, wanted: Uint8Array): void {
    writeInodeFlags(this, directoryNodeOf(node), form, wanted);
  }

  #canMark(): boolean {
    const { partial } = this.tools.marks;
    try {
      setxattrAt(this.#workFd, ITSELF, partial, bufferOf(NOTED));
      removexattrAt(this.#workFd, ITSELF, partial);
      return true;
    } catch (error) {
      if (!isFsError(error, errno.EOPNOTSUPP, errno.EPERM, errno.ENOSPC, errno.EDQUOT)) throw error;
      return false;
    }
  }

  get mayHavePartial(): boolean {
    return this.#mayHavePartial;
  }

  set mayHavePartial(may: boolean) {
    if (may === this.#mayHavePartial) return;
    const { partial } = this.tools.marks;
    if (may) setxattrAt(this.#workFd, ITSELF, partial, bufferOf(NOTED));
    else removexattrAt(this.#workFd, ITSELF, partial);
    this.#mayHavePartial = may;
  }

  ownBlocks(node: LayerNode): OwnBlocks | undefined {
    return this.#partial(directoryNodeOf(node))?.map;
  }

  #partial(node: DirectoryNode): PartialMap | undefined {
    node.blocks ??= this.#load(node);
    return node.blocks;
  }

  #load(node: DirectoryNode): PartialMap | undefined {
    const { metacopy, blocks } = this.marks(node);
    if (!metacopy || blocks === undefined) return undefined;
    const { limitBytes, zeros } = blocks === "" ? UNCUT : parseBlocksMark(bufferOf(blocks));
    const fd = this.openFd(node, O_RDONLY);
    try {
      const limit = Math.min(limitBytes, statFd(fd).sizeBytes);
      const map = new BlockMap(this.#blockBytes, limit, this.tools.zeroesEnds);
      for (const { start, end } of zeros) map.wrote(start, end);
      const written = new WholeBlocks(map);
      forEachWrittenExtent(fd, limit, (start, end) => written.add(start, end));
      written.flush();
      // A crash between truncating and recording it, or nothing was recorded yet: what was cut off must not come back.
      if (limit < limitBytes && this.leavesData) this.#record(node, { map, zeros });
      return { map, zeros };
    } finally {
      close(fd);
    }
  }

  /** A copy was just made with these blocks. Gives the node. */
  enterBlocks(node: DirectoryNode, map: BlockMap | undefined): DirectoryNode {
    node.blocks = map === undefined ? undefined : { map, zeros: [] };
    return node;
  }

  beginBlocks(node: LayerNode, content: LayerFile): void {
    const own = directoryNodeOf(node);
    this.mayHavePartial = true;
    const fd = this.openFd(own, O_RDWR);
    try {
      const { sizeBytes, mtimeSec, mtimeNsec } = statFd(fd);
      const made = { fd, dirFd: this.fdFor(own), name: nameFor(own) };
      const isRecorded = getxattrAt(made.dirFd, made.name, this.tools.marks.blocks) !== undefined;
      const map = beginCopy(this.tools, made, content, sizeBytes, isRecorded);
      utimensAt(fd, ITSELF, { atimeSec: 0, atimeNsec: UTIME_OMIT, mtimeSec, mtimeNsec });
      own.marks = undefined;
      this.enterBlocks(own, map);
      if (map === undefined) this.finishBlocks(own);
    } finally {
      close(fd);
    }
  }

  zeroBlocks(node: LayerNode, start: number, end: number): boolean {
    const own = directoryNodeOf(node);
    const partial = this.#partial(own);
    assert(partial !== undefined, "only blocks of a partial file are told apart");
    const zeros = withRange(partial.zeros, { start, end });
    if (zeros === undefined) return false;
    this.#record(own, { map: partial.map, zeros });
    partial.zeros = zeros;
    partial.map.wrote(start, end);
    return true;
  }

  /** A file of this layer was truncated: what is below it must not come back when it grows. */
  truncated(node: DirectoryNode, sizeBytes: number): void {
    const partial = this.#partial(node);
    if (partial === undefined || sizeBytes >= partial.map.limitBytes) return;
    partial.map.lowerLimit(sizeBytes);
    this.#record(node, partial);
  }

  #record(node: DirectoryNode, { map, zeros }: PartialMap): void {
    const mark = formatBlocksMark({ limitBytes: map.limitBytes, zeros });
    setxattrAt(this.fdFor(node), nameFor(node), this.tools.marks.blocks, mark);
  }

  finishBlocks(node: LayerNode): void {
    const own = directoryNodeOf(node);
    const { metacopy, redirect, blocks } = this.tools.marks;
    const fd = this.fdFor(own);
    const name = nameFor(own);
    // This one makes it whole, to the kernel too; without it the others mean nothing.
    removexattrAt(fd, name, metacopy);
    own.marks = undefined;
    own.blocks = undefined;
    for (const mark of [redirect, blocks]) {
      if (getxattrAt(fd, name, mark) !== undefined) removexattrAt(fd, name, mark);
    }
  }
}

/** Extents as blocks: those that are covered whole. Extents that touch count as one. */
class WholeBlocks {
  readonly #map: BlockMap;
  #start = 0;
  #end = 0;

  constructor(map: BlockMap) {
    this.#map = map;
  }

  add(start: number, end: number): void {
    if (start !== this.#end) {
      this.flush();
      this.#start = start;
    }
    this.#end = end;
  }

  flush(): void {
    const { blockBytes, limitBytes } = this.#map;
    const start = Math.ceil(this.#start / blockBytes) * blockBytes;
    const end = Math.floor(this.#end / blockBytes) * blockBytes;
    const last = this.#end >= limitBytes ? limitBytes : end;
    if (last > start) this.#map.wrote(start, last);
  }
}
