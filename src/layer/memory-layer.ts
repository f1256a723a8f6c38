// The reading half of the memory layer: the Layer interface over a tree of MemoryInodes.
// It is the model of a layer: no caches, no system calls. The changing half is memory-upper.ts.

import { assert } from "../assert.js";
import { errno, FsError } from "../errors.js";
import { type ByteString, type Name, textOf } from "../path.js";
import {
  DT_CHR,
  direntType,
  type InodeFlagsForm,
  isDirectory,
  isRegular,
  O_ACCMODE,
  O_APPEND,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  type Stat,
} from "../sys/index.js";
import {
  type Layer,
  type LayerDirent,
  type LayerFile,
  type LayerLookup,
  type LayerMarks,
  type LayerNode,
  WHITEOUT,
} from "./layer.js";
import { MemoryInode } from "./memory-inode.js";

/** A read-only layer in memory; made by MemoryUpper.freeze. */
export class MemoryLayer implements Layer {
  readonly title: string;
  readonly root: MemoryInode;
  readonly device: number;

  constructor(title: string, root: MemoryInode) {
    this.title = title;
    this.root = root;
    this.device = root.disk.device;
  }

  lookup(directory: LayerNode, name: Name): LayerLookup {
    const found = directoryOf(directory).children.get(name);
    if (found !== undefined && found !== WHITEOUT) found.freshStat();
    return found;
  }

  readdir(directory: LayerNode): LayerDirent[] {
    return [...directoryOf(directory).children].map(([name, entry]) =>
      entry === WHITEOUT
        ? { name, type: DT_CHR, ino: 0n, whiteout: true }
        : { name, type: direntType(entry.mode), ino: entry.ino, whiteout: false },
    );
  }

  stat(node: LayerNode): Stat {
    return inodeOf(node).freshStat();
  }

  marks(node: LayerNode): LayerMarks {
    return { ...inodeOf(node).marks };
  }

  readlink(node: LayerNode): ByteString {
    const { target } = inodeOf(node);
    if (target === undefined) throw new FsError(errno.EINVAL, "readlink");
    return target;
  }

  getxattr(node: LayerNode, name: ByteString): Buffer | undefined {
    const value = inodeOf(node).xattrs.get(name);
    return value === undefined ? undefined : Buffer.from(value);
  }

  listxattr(node: LayerNode): ByteString[] {
    return [...inodeOf(node).xattrs.keys()];
  }

  inodeFlags(node: LayerNode, form: InodeFlagsForm): Buffer {
    if (form !== "flags") throw new FsError(errno.ENOTTY, "get inode flags");
    const value = Buffer.alloc(4);
    value.writeUInt32LE(inodeOf(node).flags);
    return value;
  }

  open(node: LayerNode, flags: number): LayerFile {
    if ((flags & O_ACCMODE) !== O_RDONLY || flags & O_TRUNC) throw new FsError(errno.EROFS, "open");
    return openInode(inodeOf(node), flags);
  }

  forget(node: LayerNode): void {
    inodeOf(node);
  }

  close(): void {
    assert(isDirectory(this.root.mode), "a memory layer has a root");
  }
}

/** The inode behind a node that came from a memory layer. */
export function inodeOf(node: LayerNode): MemoryInode {
  assert(node instanceof MemoryInode, "the node belongs to a memory layer");
  return node;
}

/** As inodeOf; throws FsError ENOTDIR for all but directories. */
export function directoryOf(node: LayerNode): MemoryInode {
  const inode = inodeOf(node);
  if (!isDirectory(inode.mode)) throw new FsError(errno.ENOTDIR, "lookup");
  return inode;
}

/** Opens a regular file as open(2) does; throws FsError EISDIR, ELOOP or ENXIO for all else. */
export function openInode(inode: MemoryInode, flags: number): LayerFile {
  if (isDirectory(inode.mode)) throw new FsError(errno.EISDIR, "open");
  if (inode.target !== undefined) throw new FsError(errno.ELOOP, "open", textOf(inode.target));
  if (!isRegular(inode.mode)) throw new FsError(errno.ENXIO, "open");
  if (flags & O_TRUNC) inode.truncate(0);
  return new MemoryFile(inode, flags);
}

/** An open file; like a descriptor it does not care what happens to the file's names. */
class MemoryFile implements LayerFile {
  readonly fd = undefined;
  readonly #inode: MemoryInode;
  readonly #flags: number;
  #open = true;

  constructor(inode: MemoryInode, flags: number) {
    this.#inode = inode;
    this.#flags = flags;
  }

  #forReading(): MemoryInode {
    const readable = (this.#flags & O_ACCMODE) !== O_WRONLY;
    if (!this.#open || !readable) throw new FsError(errno.EBADF, "read");
    return this.#inode;
  }

  #forWriting(operation: string): MemoryInode {
    const writable = (this.#flags & O_ACCMODE) !== O_RDONLY;
    if (!this.#open || !writable) throw new FsError(errno.EBADF, operation);
    return this.#inode;
  }

  read(into: Uint8Array, start: number, lengthBytes: number, position: number): number {
    return this.#forReading().content.read(into, start, lengthBytes, position);
  }

  write(from: Uint8Array, start: number, lengthBytes: number, position: number): number {
    const inode = this.#forWriting("write");
    const at = this.#flags & O_APPEND ? inode.content.sizeBytes : position;
    const written = inode.content.write(from, start, lengthBytes, at);
    if (written > 0) inode.touchContent();
    return written;
  }

  stat(): Stat {
    return this.#inode.freshStat();
  }

  truncate(sizeBytes: number): void {
    this.#forWriting("truncate").truncate(sizeBytes);
  }

  allocate(mode: number, position: number, lengthBytes: number): void {
    const inode = this.#forWriting("fallocate");
    inode.content.allocate(mode, position, lengthBytes);
    inode.touchContent();
  }

  seek(position: number, whence: number): number {
    return this.#inode.content.seek(position, whence);
  }

  sync(): void {
    assert(this.#open, "a file is synced while it is open");
  }

  close(): void {
    this.#open = false;
  }
}
