// An open file of the merged tree. It reads and writes where the node is now: a handle that was
// opened on a lower file sees what is written after copy-up. The backing file is opened when first
// needed, so that opening and closing costs nothing by itself.

import { errno, FsError } from "../errors.js";
import type { LayerFile } from "../layer/index.js";
import { textOf } from "../path.js";
import {
  dup,
  FALLOC_FL_KEEP_SIZE,
  FS_APPEND_FL,
  FS_IMMUTABLE_FL,
  O_ACCMODE,
  O_APPEND,
  O_DSYNC,
  O_RDONLY,
  O_SYNC,
  type Stat,
} from "../sys/index.js";
import { planCopyUp } from "./copy-up.js";
import { openData } from "./data-place.js";
import { layerOf } from "./layer-of.js";
import type { Node } from "./node.js";
import { protectionOf } from "./protection.js";
import { Plan } from "./step.js";
import type { Union } from "./union.js";

/** Flags that mean something to every later opening of the backing file. */
const LASTING_FLAGS = O_ACCMODE | O_APPEND | O_SYNC | O_DSYNC;

/** One open(2). Positions and lengths are in bytes; errors are FsErrors. */
export class Handle {
  readonly node: Node;
  /** O_* as given to open. */
  readonly flags: number;
  readonly #union: Union;
  #file: LayerFile | undefined;
  /** Node.dataVersion that the file was opened at. */
  #version: number;
  #closed = false;

  constructor(union: Union, node: Node, flags: number, file: LayerFile | undefined) {
    this.#union = union;
    this.node = node;
    this.flags = flags;
    this.#file = file;
    this.#version = node.dataVersion;
    union.nodes.reference(node);
  }

  /** The backing file that the node has now, opened. */
  get current(): LayerFile {
    const { node } = this;
    if (this.#file !== undefined && this.#version === node.dataVersion) return this.#file;
    if (this.#closed) throw new FsError(errno.EBADF, "use", textOf(node.name));
    const file = this.#open();
    this.#file?.close();
    this.#file = file;
    this.#version = node.dataVersion;
    return file;
  }

  #open(): LayerFile {
    return openData(this.#union, this.node, this.flags & LASTING_FLAGS);
  }

  /** Descriptor of the current backing file, where it has one. */
  get fd(): number | undefined {
    return this.current.fd;
  }

  /** The backing file if it is open and current: asking it is cheaper than asking by name. */
  get opened(): LayerFile | undefined {
    return this.#version === this.node.dataVersion ? this.#file : undefined;
  }

  /** Bytes read, 0 at the end. */
  read(into: Uint8Array, start: number, lengthBytes: number, position: number): number {
    return this.current.read(into, start, lengthBytes, position);
  }

  /** Bytes written; with O_APPEND at the end, whatever `position` says. */
  write(from: Uint8Array, start: number, lengthBytes: number, position: number): number {
    return this.#writable("write").write(from, start, lengthBytes, position);
  }

  truncate(sizeBytes: number): void {
    this.#writable("truncate").truncate(sizeBytes);
  }

  /** fallocate(2) with its mode bits. */
  allocate(mode: number, position: number, lengthBytes: number): void {
    const file = this.#writable("fallocate");
    // vfs_fallocate: only room may be added to what is appended to.
    const forbidden = FS_IMMUTABLE_FL | ((mode & ~FALLOC_FL_KEEP_SIZE) === 0 ? 0 : FS_APPEND_FL);
    if (protectionOf(this.#union, this.node) & forbidden) {
      throw new FsError(errno.EPERM, "fallocate", textOf(this.node.name));
    }
    file.allocate(mode, position, lengthBytes);
  }

  /** lseek(2) with SEEK_DATA or SEEK_HOLE. Throws FsError ENXIO past the end. */
  seek(position: number, whence: number): number {
    return this.current.seek(position, whence);
  }

  /** Attributes of the backing file, not merged: Overlay.stat is the one to show. */
  backingStat(): Stat {
    return this.current.stat();
  }

  /**
   * A descriptor of the upper file for fsync(2), which becomes the caller's; undefined where there
   * is none, or nothing to sync: what lies in a lower layer is on the disk already, unless that was
   * the upper not long ago.
   */
  syncDescriptor(): number | undefined {
    const { node } = this;
    if (node.slot < this.#union.levelSlot) return undefined;
    // The file that is open may be the lower one (metadata only), or none to hand out.
    if (node.data === undefined) {
      const { fd } = this.current;
      return fd === undefined ? undefined : dup(fd);
    }
    return layerOf(this.#union, node).open(node.inode, O_RDONLY).fd;
  }

  /** fsync(2), fdatasync(2), here and now. */
  sync(dataOnly: boolean): void {
    const { node } = this;
    if (node.slot < this.#union.levelSlot) return;
    if (node.data === undefined) {
      this.current.sync(dataOnly);
      return;
    }
    const file = layerOf(this.#union, node).open(node.inode, O_RDONLY);
    try {
      file.sync(dataOnly);
    } finally {
      file.close();
    }
  }

  /** The handle is of no use after. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const file = this.#file;
    this.#file = undefined;
    this.#union.nodes.forget(this.node, 1);
    file?.close();
  }

  /**
   * A file of a lower layer is never written. Opening for writing copied the node up; but where its
   * upper was frozen since, it must be copied up again.
   */
  #writable(operation: string): LayerFile {
    const { node } = this;
    const union = this.#union;
    if ((this.flags & O_ACCMODE) === O_RDONLY) {
      throw new FsError(errno.EBADF, operation, textOf(node.name));
    }
    if (!union.isUpper(node)) {
      const plan = new Plan();
      planCopyUp(union, node, plan, { writes: true });
      union.run(plan);
    }
    return this.current;
  }
}
