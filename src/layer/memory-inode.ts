// Inodes of the memory layers: plain records with the rules that every Linux file system applies
// to them (link counts, times, what chown clears). No names, no whiteout policy: memory-layer.ts.

import type { ByteString, Name } from "../path.js";
import {
  FS_APPEND_FL,
  FS_IMMUTABLE_FL,
  isDirectory,
  isRegular,
  S_ISGID,
  S_ISUID,
  type Stat,
} from "../sys/index.js";
import { type LayerMarks, type LayerNode, WHITEOUT } from "./layer.js";
import { BLOCK_BYTES, MemoryContent } from "./memory-content.js";

/** A moment: seconds since 1970 and nanoseconds. */
export interface Moment {
  readonly sec: number;
  readonly nsec: number;
}

/** The disk that memory layers share or not: numbers its inodes, and tells the time. */
export interface MemoryDisk {
  readonly device: number;
  nextIno(): bigint;
  now(): Moment;
}

let disks = 0;

/** A disk of its own, with a device number of its own. `now` may be a clock of the test's making. */
export function memoryDisk(now: () => Moment = presentMoment): MemoryDisk {
  const device = ++disks;
  let ino = 1n;
  return { device, now, nextIno: () => ++ino };
}

function presentMoment(): Moment {
  const nowMs = performance.timeOrigin + performance.now();
  const sec = Math.floor(nowMs / 1000);
  return { sec, nsec: Math.floor((nowMs - sec * 1000) * 1e6) };
}

/** What a memory directory holds under a name. */
export type MemoryEntry = MemoryInode | typeof WHITEOUT;

/** Marks that can be set; the others have no setter in a memory layer. */
export interface MemoryMarks extends LayerMarks {
  opaque: boolean;
  redirect: ByteString | undefined;
  originIno: bigint | undefined;
}

/** What an inode is made from. */
export interface MemoryInodeInit {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdevMajor?: number | undefined;
  readonly rdevMinor?: number | undefined;
  readonly target?: ByteString | undefined;
}

/** One inode; it is its own LayerNode, so that all names of it give the same node. */
export class MemoryInode implements LayerNode {
  stat: Stat;
  mode: number;
  uid: number;
  gid: number;
  /** Names in the tree; a directory counts as on disk: 2 and its subdirectories. */
  names = 0;
  atime: Moment;
  mtime: Moment;
  ctime: Moment;
  readonly disk: MemoryDisk;
  readonly ino: bigint;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly target: ByteString | undefined;
  readonly content = new MemoryContent();
  readonly children = new Map<Name, MemoryEntry>();
  readonly xattrs = new Map<ByteString, Buffer>();
  readonly marks: MemoryMarks = {
    opaque: false,
    redirect: undefined,
    metacopy: false,
    originIno: undefined,
    protection: 0,
    impure: false,
  };
  /** FS_*_FL. */
  flags = 0;
  readonly #birth: Moment;

  constructor(disk: MemoryDisk, init: MemoryInodeInit, ino: bigint = disk.nextIno()) {
    this.disk = disk;
    this.ino = ino;
    this.mode = init.mode;
    this.uid = init.uid;
    this.gid = init.gid;
    this.rdevMajor = init.rdevMajor ?? 0;
    this.rdevMinor = init.rdevMinor ?? 0;
    this.target = init.target;
    this.#birth = disk.now();
    this.atime = this.#birth;
    this.mtime = this.#birth;
    this.ctime = this.#birth;
    this.stat = this.freshStat();
  }

  /** The attributes now; also kept as `stat`. */
  freshStat(): Stat {
    const { atime, mtime, ctime } = this;
    this.stat = {
      dev: this.disk.device,
      ino: this.ino,
      nlink: this.#nlink(),
      mode: this.mode,
      uid: this.uid,
      gid: this.gid,
      rdevMajor: this.rdevMajor,
      rdevMinor: this.rdevMinor,
      sizeBytes: this.#sizeBytes(),
      blocks: this.content.allocatedBytes / 512,
      blksize: BLOCK_BYTES,
      atimeSec: atime.sec,
      atimeNsec: atime.nsec,
      mtimeSec: mtime.sec,
      mtimeNsec: mtime.nsec,
      ctimeSec: ctime.sec,
      ctimeNsec: ctime.nsec,
      btimeSec: this.#birth.sec,
      btimeNsec: this.#birth.nsec,
      attributes: this.flags & (FS_IMMUTABLE_FL | FS_APPEND_FL),
    };
    return this.stat;
  }

  #nlink(): number {
    if (!isDirectory(this.mode)) return this.names;
    if (this.names === 0) return 0;
    let nlink = 2;
    for (const child of this.children.values()) {
      if (child !== WHITEOUT && isDirectory(child.mode)) nlink++;
    }
    return nlink;
  }

  #sizeBytes(): number {
    if (this.target !== undefined) return this.target.length;
    return isDirectory(this.mode) ? BLOCK_BYTES : this.content.sizeBytes;
  }

  /** The attributes changed. */
  touchAttributes(): void {
    this.ctime = this.disk.now();
  }

  /** The content (a directory's entries) changed. */
  touchContent(): void {
    this.mtime = this.disk.now();
    this.ctime = this.mtime;
  }

  /** chown(2): a change of owner takes set-id bits and capabilities from what can be executed. */
  chown(uid: number, gid: number): void {
    this.uid = uid;
    this.gid = gid;
    if (!isDirectory(this.mode)) {
      this.mode &= ~S_ISUID;
      if (this.mode & 0o010) this.mode &= ~S_ISGID;
      this.xattrs.delete(CAPABILITY);
    }
    this.touchAttributes();
  }

  truncate(sizeBytes: number): void {
    this.content.truncate(sizeBytes);
    this.touchContent();
  }

  /** The same inode (number, times, marks) in another tree; directories come without children. */
  copy(): MemoryInode {
    const twin = new MemoryInode(this.disk, this, this.ino);
    twin.names = this.names;
    twin.atime = this.atime;
    twin.mtime = this.mtime;
    twin.ctime = this.ctime;
    for (const [name, value] of this.xattrs) twin.xattrs.set(name, value);
    Object.assign(twin.marks, this.marks);
    twin.flags = this.flags;
    if (isRegular(this.mode)) twin.content.copyOf(this.content);
    return twin;
  }
}

const CAPABILITY = "security.capability" as ByteString;
