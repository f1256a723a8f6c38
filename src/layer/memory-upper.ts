// The changing half of the memory layer: the UpperLayer interface, with fallible checks first and
// the change after them, so that every step is atomic. Not here: default ACLs (they are the
// backing file system's business; the directory upper has them) and permissions.

import { errno, FsError } from "../errors.js";
import { type ByteString, type Name, textOf } from "../path.js";
import {
  type InodeFlagsForm,
  isDirectory,
  S_IFDIR,
  S_ISGID,
  type Statfs,
  TMPFS_MAGIC,
  UTIME_NOW,
  UTIME_OMIT,
  XATTR_CREATE,
  XATTR_REPLACE,
} from "../sys/index.js";
import { copyExtents } from "./file-extents.js";
import { typeBits } from "./inode-writer.js";
import {
  type AttrChange,
  type CopyUpSource,
  type LayerFile,
  type LayerNode,
  type NewInode,
  type RenameHow,
  type Standing,
  type TakeOverPlace,
  type UpperLayer,
  WHITEOUT,
} from "./layer.js";
import { BLOCK_BYTES } from "./memory-content.js";
import { type MemoryDisk, MemoryInode, type Moment, memoryDisk } from "./memory-inode.js";
import { directoryOf, inodeOf, MemoryLayer, openInode } from "./memory-layer.js";
import { refuseReserved } from "./upper-names.js";

/** Where a memory layer lies and what it is called in messages. */
export interface MemoryLayerOptions {
  /** A disk of its own, unless several layers are to lie on one. */
  readonly disk?: MemoryDisk;
  readonly title?: string;
}

/** An empty upper in memory, owned by 0:0 with mode 0755. */
export function memoryLayer(options: MemoryLayerOptions = {}): MemoryUpper {
  const disk = options.disk ?? memoryDisk();
  const root = new MemoryInode(disk, { mode: S_IFDIR | 0o755, uid: 0, gid: 0 });
  root.names = 1;
  return new MemoryUpper(options.title ?? "memory", root);
}

/** The model of an upper: what a directory upper on a common file system does, without the disk. */
export class MemoryUpper extends MemoryLayer implements UpperLayer {
  readonly #index = new Map<ByteString, MemoryInode>();

  /** The present state as a read-only layer, with the same inode numbers: do not stack the two. */
  freeze(title = `${this.title} (frozen)`): MemoryLayer {
    return new MemoryLayer(title, copyTree(this.root, new Map()));
  }

  /** An upper of its own with the same state and inode numbers, as after a crash and a reboot. */
  clone(): MemoryUpper {
    const twins = new Map<MemoryInode, MemoryInode>();
    const twin = new MemoryUpper(this.title, copyTree(this.root, twins));
    for (const [key, inode] of this.#index) {
      twin.#index.set(key, twins.get(inode) ?? inode.copy());
    }
    return twin;
  }

  create(directory: LayerNode, name: Name, inode: NewInode, over: Standing): MemoryInode {
    const parent = directoryOf(directory);
    this.#expect(parent, name, over, "create");
    refuseReserved(name, "create");
    const made = newInode(parent, inode);
    made.names = 1;
    parent.children.set(name, made);
    parent.touchContent();
    made.freshStat();
    return made;
  }

  createOpen(
    directory: LayerNode,
    name: Name,
    inode: NewInode,
    over: Standing,
    flags: number,
  ): { readonly node: MemoryInode; readonly file: LayerFile } {
    const node = this.create(directory, name, inode, over);
    return { node, file: openInode(node, flags) };
  }

  createUnnamed(
    directory: LayerNode,
    inode: NewInode,
    flags: number,
  ): { readonly node: MemoryInode; readonly file: LayerFile } {
    const node = newInode(directoryOf(directory), inode);
    return { node, file: openInode(node, flags) };
  }

  link(node: LayerNode, directory: LayerNode, name: Name, over: Standing): void {
    const inode = inodeOf(node);
    const parent = directoryOf(directory);
    if (isDirectory(inode.mode)) throw new FsError(errno.EPERM, "link", textOf(name));
    this.#expect(parent, name, over, "link");
    refuseReserved(name, "link");
    parent.children.set(name, inode);
    parent.touchContent();
    inode.names++;
    inode.touchAttributes();
  }

  copyUp(directory: LayerNode, name: Name, source: CopyUpSource): MemoryInode {
    const parent = directoryOf(directory);
    this.#expect(parent, name, "absent", "copy up");
    const made = copyOf(source, parent.disk);
    parent.children.set(name, made);
    return made;
  }

  copyUpIndexed(key: ByteString, source: CopyUpSource): MemoryInode {
    if (this.#index.has(key)) throw new FsError(errno.EEXIST, "copy up", textOf(key));
    const made = copyOf(source, this.root.disk);
    this.#index.set(key, made);
    return made;
  }

  remove(directory: LayerNode, name: Name, over: Standing, leaveWhiteout: boolean): void {
    const parent = directoryOf(directory);
    this.#expect(parent, name, over, "remove");
    this.#drop(parent, name);
    if (leaveWhiteout) parent.children.set(name, WHITEOUT);
    parent.touchContent();
  }

  rename(
    oldDirectory: LayerNode,
    oldName: Name,
    newDirectory: LayerNode,
    newName: Name,
    how: RenameHow,
  ): void {
    const from = directoryOf(oldDirectory);
    const to = directoryOf(newDirectory);
    const moved = from.children.get(oldName);
    if (moved === undefined || moved === WHITEOUT) throw missing("rename", oldName);
    const other = to.children.get(newName);
    // rename(2): two names of one file both stay.
    if (moved === other) return;
    if (how.exchange) {
      if (other === undefined || other === WHITEOUT) throw missing("rename", newName);
      from.children.set(oldName, other);
      other.touchAttributes();
    } else {
      refuseReserved(newName, "rename");
      this.#expect(to, newName, how.over, "rename");
      this.#drop(to, newName);
      if (how.leaveDevice !== undefined) {
        const device = newInode(from, how.leaveDevice);
        device.names = 1;
        from.children.set(oldName, device);
      } else if (how.leaveWhiteout) from.children.set(oldName, WHITEOUT);
      else from.children.delete(oldName);
    }
    to.children.set(newName, moved);
    from.touchContent();
    to.touchContent();
    moved.touchAttributes();
  }

  setattr(node: LayerNode, change: AttrChange): void {
    const inode = inodeOf(node);
    const { mode, uid, gid, sizeBytes, atime, mtime } = change;
    if (sizeBytes !== undefined) inode.truncate(sizeBytes);
    if (uid !== undefined || gid !== undefined) inode.chown(uid ?? inode.uid, gid ?? inode.gid);
    if (mode !== undefined) inode.mode = (inode.mode & ~0o7777) | (mode & 0o7777);
    if (atime !== undefined) inode.atime = momentOf(atime, inode.atime, inode.disk);
    if (mtime !== undefined) inode.mtime = momentOf(mtime, inode.mtime, inode.disk);
    inode.touchAttributes();
    inode.freshStat();
  }

  setxattr(node: LayerNode, name: ByteString, value: Uint8Array, flags: number): void {
    const inode = inodeOf(node);
    const exists = inode.xattrs.has(name);
    if (flags & XATTR_CREATE && exists) throw new FsError(errno.EEXIST, "setxattr", textOf(name));
    if (flags & XATTR_REPLACE && !exists)
      throw new FsError(errno.ENODATA, "setxattr", textOf(name));
    inode.xattrs.set(name, Buffer.from(value));
    inode.touchAttributes();
  }

  removexattr(node: LayerNode, name: ByteString): void {
    const inode = inodeOf(node);
    if (!inode.xattrs.delete(name)) throw new FsError(errno.ENODATA, "removexattr", textOf(name));
    inode.touchAttributes();
  }

  setInodeFlags(node: LayerNode, form: InodeFlagsForm, wanted: Uint8Array): void {
    if (form !== "flags") throw new FsError(errno.ENOTTY, "set inode flags");
    const inode = inodeOf(node);
    inode.flags = new DataView(wanted.buffer, wanted.byteOffset).getUint32(0, true);
    inode.touchAttributes();
    inode.freshStat();
  }

  mark(
    node: LayerNode,
    marks: { readonly opaque?: boolean; readonly redirect?: ByteString },
  ): void {
    const own = directoryOf(node).marks;
    if (marks.opaque !== undefined) own.opaque = marks.opaque;
    if (marks.redirect !== undefined) own.redirect = marks.redirect;
  }

  indexed(key: ByteString): MemoryInode | undefined {
    const inode = this.#index.get(key);
    inode?.freshStat();
    return inode;
  }

  index(key: ByteString, node: LayerNode): void {
    if (this.#index.has(key)) throw new FsError(errno.EEXIST, "index", textOf(key));
    const inode = inodeOf(node);
    this.#index.set(key, inode);
    inode.names++;
  }

  unindex(key: ByteString): void {
    const inode = this.#index.get(key);
    if (inode !== undefined) inode.names--;
    this.#index.delete(key);
  }

  indexKeys(): ByteString[] {
    return [...this.#index.keys()];
  }

  override open(node: LayerNode, flags: number): LayerFile {
    return openInode(inodeOf(node), flags);
  }

  /** Copies are whole: the methods below are never called. */
  readonly leavesData = false;
  readonly mayHavePartial = false;

  ownBlocks(): undefined {
    return undefined;
  }

  beginBlocks(): never {
    throw new FsError(errno.EOPNOTSUPP, "begin blocks");
  }

  zeroBlocks(): never {
    throw new FsError(errno.EOPNOTSUPP, "zero blocks");
  }

  finishBlocks(): never {
    throw new FsError(errno.EOPNOTSUPP, "finish blocks");
  }

  takeOver(_from: UpperLayer, node: LayerNode, place: TakeOverPlace | undefined): MemoryInode {
    const inode = inodeOf(node);
    if (place === undefined) return inode;
    const left = new MemoryInode(inode.disk, inode);
    for (const [name, value] of inode.xattrs) left.xattrs.set(name, value);
    Object.assign(left.marks, inode.marks);
    left.names = 1;
    left.freshStat();
    directoryOf(place.formerDirectory).children.set(place.name, left);
    directoryOf(place.directory).children.set(place.name, inode);
    return inode;
  }

  statfs(): Statfs {
    return {
      type: TMPFS_MAGIC,
      bsize: BLOCK_BYTES,
      blocks: 1n << 20n,
      bfree: 1n << 19n,
      bavail: 1n << 19n,
      files: 1n << 20n,
      ffree: 1n << 19n,
      namelen: 255,
      frsize: BLOCK_BYTES,
      flags: 0,
    };
  }

  sync(): void {
    this.root.freshStat();
  }

  /** The caller's claim of what stands at a name is checked: a wrong one is a bug found early. */
  #expect(parent: MemoryInode, name: Name, over: Standing, operation: string): void {
    const standing = standingOf(parent.children.get(name));
    const isRemoved = parent.names === 0;
    if (standing === over && !isRemoved) return;
    if (isRemoved || standing === "absent") throw missing(operation, name);
    if (over === "absent" || over === "whiteout") {
      throw new FsError(errno.EEXIST, operation, textOf(name));
    }
    throw new FsError(over === "file" ? errno.EISDIR : errno.ENOTDIR, operation, textOf(name));
  }

  /** Takes the name away; a directory may hold nothing but whiteouts. */
  #drop(parent: MemoryInode, name: Name): void {
    const entry = parent.children.get(name);
    if (entry !== undefined && entry !== WHITEOUT) {
      for (const child of entry.children.values()) {
        if (child !== WHITEOUT) throw new FsError(errno.ENOTEMPTY, "remove", textOf(name));
      }
      entry.children.clear();
      entry.names--;
      entry.touchAttributes();
    }
    parent.children.delete(name);
  }
}

/** The copy of a lower inode: one name, the marks of a copy, the times of the original. */
function copyOf(source: CopyUpSource, disk: MemoryDisk): MemoryInode {
  const { stat } = source;
  const made = new MemoryInode(disk, { ...stat, target: source.target });
  if (source.content !== undefined) copyContent(source.content, made, stat.sizeBytes);
  for (const [xattr, value] of source.xattrs) made.xattrs.set(xattr, Buffer.from(value));
  made.marks.originIno = source.originIno;
  made.marks.redirect = source.redirect;
  made.atime = { sec: stat.atimeSec, nsec: stat.atimeNsec };
  made.mtime = { sec: stat.mtimeSec, nsec: stat.mtimeNsec };
  made.names = 1;
  made.flags = source.flags ?? 0;
  made.freshStat();
  return made;
}

function missing(operation: string, name: Name): FsError {
  return new FsError(errno.ENOENT, operation, textOf(name));
}

function standingOf(entry: MemoryInode | typeof WHITEOUT | undefined): Standing {
  if (entry === undefined) return "absent";
  if (entry === WHITEOUT) return "whiteout";
  return isDirectory(entry.mode) ? "directory" : "file";
}

/** As the file systems do (inode_init_owner, vfs_mkdir): setgid directories hand down their group. */
function newInode(parent: MemoryInode, inode: NewInode): MemoryInode {
  const setgid = (parent.mode & S_ISGID) !== 0;
  const isSubdirectory = inode.type === "directory";
  let mode = inode.mode & ~inode.umask & (isSubdirectory ? 0o1777 : 0o7777);
  if (inode.type === "symlink") mode = 0o777;
  if (setgid && isSubdirectory) mode |= S_ISGID;
  const made = new MemoryInode(parent.disk, {
    ...inode,
    mode: typeBits(inode.type) | mode,
    gid: setgid ? parent.gid : inode.gid,
    target: inode.type === "symlink" ? inode.target : undefined,
  });
  made.marks.opaque = inode.opaque === true;
  return made;
}

function momentOf(wanted: Moment, present: Moment, disk: MemoryDisk): Moment {
  if (wanted.nsec === UTIME_OMIT) return present;
  return wanted.nsec === UTIME_NOW ? disk.now() : { sec: wanted.sec, nsec: wanted.nsec };
}

function copyContent(from: LayerFile, to: MemoryInode, sizeBytes: number): void {
  copyExtents(from, sizeBytes, (bytes, at) => to.content.write(bytes, 0, bytes.length, at));
  to.content.truncate(sizeBytes);
}

function copyTree(root: MemoryInode, twins: Map<MemoryInode, MemoryInode>): MemoryInode {
  const known = twins.get(root);
  if (known !== undefined) return known;
  const twin = root.copy();
  twins.set(root, twin);
  for (const [name, child] of root.children) {
    twin.children.set(name, child === WHITEOUT ? WHITEOUT : copyTree(child, twins));
  }
  twin.freshStat();
  return twin;
}
