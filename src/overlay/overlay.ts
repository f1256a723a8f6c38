// The overlay: a stack of read-only layers and at most one upper, seen as one tree. This is the
// door of the room: each operation is planned in the file of its family and carried out here.
// Permissions are not checked: that is the kernel's part (default_permissions).

import { assert } from "../assert.js";
import { errno, FsError } from "../errors.js";
import type { DiffEntry } from "../layer/diff.js";
import type { AttrChange, NewInode, UpperLayer } from "../layer/index.js";
import { ROOT_NAME } from "../layer/tree.js";
import { type ByteString, type Name, textOf } from "../path.js";
import {
  FS_APPEND_FL,
  type InodeFlagsForm,
  isSymlink,
  O_ACCMODE,
  O_RDONLY,
  O_TRUNC,
  S_ISGID,
  S_ISUID,
  type Stat,
  type Statfs,
} from "../sys/index.js";
import {
  mergedXattr,
  planRemovexattr,
  planSetattr,
  planSetInodeFlags,
  planSetxattr,
  storedStat,
} from "./attributes.js";
import { changesOf } from "./changes.js";
import { copyRange } from "./copy-range.js";
import { planCopyUp } from "./copy-up.js";
import { type Made, madeNode, planCreate, planCreateUnnamed, planLink } from "./create.js";
import { type DataPlace, dataPlace } from "./data-place.js";
import { freeze } from "./freeze.js";
import { Handle } from "./handle.js";
import { layerOf } from "./layer-of.js";
import { LookingAhead } from "./looking-ahead.js";
import { MergedTreeNode } from "./merged-tree.js";
import { NO_ROOM } from "./no-room.js";
import type { Node } from "./node.js";
import type { OverlayOptions } from "./overlay-options.js";
import { inodeFlags, protectionOf, requireOpenable } from "./protection.js";
import { type DirectoryEntry, DirectoryHandle } from "./readdir.js";
import { planRmdir, planUnlink } from "./remove.js";
import { type Caller, planRename } from "./rename.js";
import { isUpperEmpty, standsAlone } from "./stands-alone.js";
import { Plan } from "./step.js";
import { Union } from "./union.js";
import { View } from "./view.js";

/**
 * The merged tree. Operations are named after the system calls they serve, take nodes of this
 * overlay, and throw FsError with the errno for the kernel. A node that is kept beyond the next
 * lookup must be referenced.
 *
 * Every operation may throw EIO for a layer that is damaged, and what the file systems of the layers
 * throw (ENOSPC, EACCES, ...). Whatever changes something throws EROFS without an upper, and EPERM for
 * what chattr(1) has made immutable or append-only (protection.ts).
 */
export class Overlay {
  readonly root: Node;
  /** There is no upper: every change is EROFS. */
  readonly readOnly: boolean;
  /** The partial files, and how they become ordinary ones. */
  readonly filling: Union["filling"];
  /** Copies that are made for practice, in idle time. */
  readonly rehearsal: Union["rehearsal"];
  /** What may be found out before anybody asks. */
  readonly ahead: LookingAhead;
  readonly #union: Union;
  readonly #view: View | undefined;
  readonly #alters: boolean;

  constructor(options: OverlayOptions) {
    const { copyUp = "block", metadataOnly = true, namesCopies = false } = options;
    const { frozen = [], upper, highInodeBits, beforeStep } = options;
    const how = { copyUp, metadataOnly, namesCopies, highInodeBits, beforeStep };
    this.#union = new Union(options.stack, { frozen, upper }, how);
    this.#union.redirects = options.redirects ?? true;
    const { view } = options;
    const differs = view !== undefined && Object.keys(view).length > 0;
    this.#view = differs ? new View(view) : undefined;
    this.#alters = options.alters ?? false;
    this.ahead = new LookingAhead(this.#union, this.#alters);
    this.root = this.#union.nodes.root;
    this.readOnly = options.upper === undefined;
    this.filling = this.#union.filling;
    this.rehearsal = this.#union.rehearsal;
  }

  /**
   * The node of a name; undefined means ENOENT, until something is made there. Throws FsError
   * ENOTDIR, ENAMETOOLONG.
   */
  lookup(directory: Node, name: Name): Node | undefined {
    this.#union.nodes.sweep();
    this.#union.nodes.forgetFound();
    return this.#union.nodes.child(directory, name);
  }

  /** As lookup, for an entry of a listing of this very directory: fewer layers are asked. */
  lookupEntry(directory: Node, entry: DirectoryEntry): Node | undefined {
    this.#union.nodes.sweep();
    this.#union.nodes.forgetFound();
    return this.#union.nodes.child(directory, entry.name as Name, entry.slot);
  }

  /** NodeTable.isFoundAgain. */
  isFoundAgain(node: Node): boolean {
    return this.#union.nodes.isFoundAgain(node);
  }

  /** Somebody keeps the node. */
  reference(node: Node): void {
    this.#union.nodes.reference(node);
  }

  /** Takes `count` references back; a node that nobody needs leaves the tables. */
  forget(node: Node, count = 1): void {
    this.#union.nodes.forget(node, count);
  }

  /**
   * Merged attributes; with an open handle of the node the disk is asked by descriptor, and right
   * after the lookup that found the node not at all.
   */
  stat(node: Node, handle?: Handle): Stat {
    const stored = storedStat(this.#union, node, handle, this.#alters);
    return this.#view === undefined ? stored : this.#view.stat(stored);
  }

  /**
   * chmod(2), chown(2), utimensat(2), truncate(2), or several at once; gives what they are then.
   * Throws FsError EISDIR, EINVAL for the size of what has none.
   */
  setattr(node: Node, change: AttrChange): Stat {
    this.#run(planSetattr(this.#union, node, this.#view?.change(change) ?? change));
    this.#union.nodes.changed(node);
    return this.stat(node);
  }

  /** The mode has set-id bits. Whoever sets them does it here, so the disk is not asked. */
  hasSetIds(node: Node): boolean {
    return (node.inode.stat.mode & (S_ISUID | S_ISGID)) !== 0;
  }

  /** The target, as bytes. Throws FsError EINVAL for what is no symlink. */
  readlink(node: Node): ByteString {
    if (!isSymlink(node.kind)) throw new FsError(errno.EINVAL, "readlink", textOf(node.name));
    return layerOf(this.#union, node).readlink(node.inode);
  }

  /** A new inode of any type, without opening it. Throws FsError EEXIST, ENOENT in a directory that was removed. */
  mknod(directory: Node, name: Name, inode: NewInode): Node {
    const made: Made = { node: undefined, file: undefined };
    this.#run(planCreate(this.#union, directory, name, this.#stored(inode), undefined, made));
    return madeNode(made);
  }

  /** mknod with `inode` of a directory. */
  mkdir(directory: Node, name: Name, inode: NewInode): Node {
    assert(inode.type === "directory", "mkdir makes a directory");
    return this.mknod(directory, name, inode);
  }

  /** open(2) with O_CREAT|O_EXCL: a new regular file, opened with `flags` (O_*). Throws FsError EEXIST. */
  create(
    directory: Node,
    name: Name,
    inode: NewInode,
    flags: number,
  ): { readonly node: Node; readonly handle: Handle } {
    const made: Made = { node: undefined, file: undefined };
    this.#run(planCreate(this.#union, directory, name, this.#stored(inode), flags, made));
    return this.#opened(made, flags);
  }

  /** open(2) with O_TMPFILE: a regular file without a name; `link` may give it one. Throws FsError ENOTDIR. */
  tmpfile(
    directory: Node,
    inode: NewInode,
    flags: number,
  ): { readonly node: Node; readonly handle: Handle } {
    const made: Made = { node: undefined, file: undefined };
    this.#run(planCreateUnnamed(this.#union, directory, this.#stored(inode), flags, made));
    return this.#opened(made, flags);
  }

  #stored(inode: NewInode): NewInode {
    return this.#view?.newInode(inode) ?? inode;
  }

  #opened(made: Made, flags: number): { readonly node: Node; readonly handle: Handle } {
    const node = madeNode(made);
    return { node, handle: new Handle(this.#union, node, flags, made.file) };
  }

  /** A second name; gives the same node. Throws FsError EEXIST, EPERM for a directory. */
  link(node: Node, directory: Node, name: Name): Node {
    this.#run(planLink(this.#union, node, directory, name));
    return node;
  }

  /** Throws FsError ENOENT, EISDIR. */
  unlink(directory: Node, name: Name): void {
    this.#run(planUnlink(this.#union, directory, name));
  }

  /** Throws FsError ENOENT, ENOTDIR, ENOTEMPTY; what the directory hides does not count. */
  rmdir(directory: Node, name: Name): void {
    this.#run(planRmdir(this.#union, directory, name));
  }

  /**
   * renameat2(2); `flags` may be RENAME_NOREPLACE or RENAME_EXCHANGE, and RENAME_WHITEOUT, which
   * leaves a device that is the `caller`'s. Throws FsError ENOENT, EEXIST, EINVAL (into itself, other
   * flags), EISDIR, ENOTDIR, ENOTEMPTY, EXDEV for a directory where redirects are not wanted.
   */
  rename(
    oldDirectory: Node,
    oldName: Name,
    newDirectory: Node,
    newName: Name,
    flags = 0,
    caller: Caller = { uid: 0, gid: 0 },
  ): void {
    const owner = this.#view?.newInode(caller) ?? caller;
    const [from, to] = [oldDirectory, newDirectory];
    this.#run(planRename(this.#union, from, oldName, to, newName, flags, owner));
  }

  /**
   * Opens a regular file with `flags` (O_*). For writing it is copied up, without the content that
   * O_TRUNC drops. Throws FsError EISDIR, ENXIO for what has no content.
   */
  open(node: Node, flags: number): Handle {
    const union = this.#union;
    union.nodes.forgetFound();
    requireOpenable(union, node, flags);
    if ((flags & O_TRUNC) !== 0) this.#run(planSetattr(union, node, { sizeBytes: 0 }));
    else if ((flags & O_ACCMODE) !== O_RDONLY) this.copyUp(node);
    return new Handle(union, node, flags & ~O_TRUNC, undefined);
  }

  /** True when the node lies in the upper: it is changed where it is, and never copied up again. */
  isUpper(node: Node): boolean {
    return this.#union.isUpper(node);
  }

  /** Where the data of a regular file are now. */
  dataPlace(node: Node): DataPlace {
    return dataPlace(this.#union, node);
  }

  /**
   * Brings a node into the upper, to be written. Nobody sees a difference, but its backing file is
   * another.
   */
  copyUp(node: Node): void {
    this.#union.writable("copy up");
    if (this.#union.isUpper(node) && node.data === undefined) return;
    const plan = new Plan();
    planCopyUp(this.#union, node, plan, { writes: true });
    this.#run(plan);
  }

  /**
   * The upper becomes the topmost read-only layer of this tree, and `upper`, an empty one, takes its
   * place; in between `commit` is called. Nodes, numbers and open files go on. `written` are files that may be written
   * past this overlay: they move into the new upper with their inodes, and an empty file takes their
   * place. Gives those that moved. Throws FsError EROFS, EOPNOTSUPP, what `commit` throws: then nothing has changed.
   */
  freeze(upper: UpperLayer, commit: () => void, written: readonly Node[] = []): Node[] {
    return freeze(this.#union, upper, commit, written);
  }

  /** The children of a directory that are known, in the order in which they were found. */
  knownChildren(directory: Node): Iterator<Node> {
    return (directory.children ?? new Map<Name, Node>()).values();
  }

  /** The directory as it is now, to be read. Throws FsError ENOTDIR. */
  opendir(node: Node): DirectoryHandle {
    if (!node.isDirectory) throw new FsError(errno.ENOTDIR, "opendir", textOf(node.name));
    return new DirectoryHandle(this.#union, node);
  }

  /** The value; undefined is ENODATA. Throws FsError EOPNOTSUPP for an ACL where there are none. */
  getxattr(node: Node, name: ByteString): Buffer | undefined {
    const view = this.#view;
    view?.requireXattr(name, "getxattr");
    const value = mergedXattr(this.#union, node, name, this.#alters);
    return view === undefined ? value : view.shownXattr(name, value);
  }

  /** The names of all extended attributes but our own marks. */
  listxattr(node: Node): ByteString[] {
    const names = layerOf(this.#union, node).listxattr(node.inode);
    return this.#view?.xattrNames(names) ?? names;
  }

  /** `flags` may be XATTR_CREATE or XATTR_REPLACE. Throws FsError EEXIST, ENODATA as they ask, EOPNOTSUPP. */
  setxattr(node: Node, name: ByteString, value: Uint8Array, flags: number): void {
    const view = this.#view;
    view?.requireXattr(name, "setxattr");
    const stored = view?.storedXattr(name, value) ?? value;
    this.#run(planSetxattr(this.#union, node, name, stored, flags));
  }

  /** Throws FsError ENODATA, EOPNOTSUPP. */
  removexattr(node: Node, name: ByteString): void {
    this.#view?.requireXattr(name, "removexattr");
    this.#run(planRemovexattr(this.#union, node, name));
  }

  /** The inode's flags as ioctl(2) gives them (sys/ioctl.ts). Throws FsError ENOTTY. */
  inodeFlags(node: Node, form: InodeFlagsForm): Buffer {
    return inodeFlags(this.#union, node, form);
  }

  /** They become `wanted`, in the same form; what the caller did not change stays. Throws FsError ENOTTY. */
  setInodeFlags(node: Node, form: InodeFlagsForm, wanted: Uint8Array): void {
    this.#run(planSetInodeFlags(this.#union, node, form, wanted));
  }

  /** It can only be appended to. */
  isAppendOnly(node: Node): boolean {
    return (protectionOf(this.#union, node) & FS_APPEND_FL) !== 0;
  }

  /**
   * copy_file_range(2): bytes copied, which may be fewer; offsets are in bytes. Throws FsError EBADF
   * for a target opened with O_APPEND, EINVAL for ranges of one file that overlap.
   */
  copyFileRange(
    from: Handle,
    fromOffset: number,
    to: Handle,
    toOffset: number,
    lengthBytes: number,
  ): number {
    return copyRange(from, fromOffset, to, toOffset, lengthBytes);
  }

  /** Room of the upper; a tree that cannot change is full. */
  statfs(): Statfs {
    return this.#union.upper?.statfs() ?? NO_ROOM;
  }

  /** syncfs(2) of the upper. */
  sync(): void {
    this.#union.upper?.sync();
  }

  /** Something of what was removed is put off until nobody asks for anything. */
  get isBehind(): boolean {
    return this.#union.levels.some((level) => level.isBehind === true);
  }

  /** Does what was put off. */
  catchUp(): void {
    for (const level of this.#union.levels) level.catchUp?.();
  }

  /** Closes all layers. */
  close(): void {
    this.#union.filling.close();
    for (const layer of this.#union.layers) layer.close();
  }

  /** The upper as a diff that stands by itself (changes.ts). The upper must not change meanwhile. */
  changes(): Iterable<DiffEntry> {
    return changesOf(this.#union);
  }

  /** Nothing lies in the upper, and no copy beside it; its root may differ. */
  get hasEmptyUpper(): boolean {
    return isUpperEmpty(this.#union);
  }

  /** The upper's tree, without anything beside it, is the layer that `changes` tells. */
  upperStandsAlone(): boolean {
    return standsAlone(this.#union);
  }

  /** The merged tree to walk. */
  tree(): MergedTreeNode {
    return new MergedTreeNode(this.#union, this.root, ROOT_NAME);
  }

  #run(plan: Plan): void {
    this.#union.nodes.forgetFound();
    this.#union.links.tidy();
    this.#union.run(plan);
  }
}
