// The directory upper: a directory that takes all changes, as kernel overlayfs would write them.
// Each method is one atomic step: what takes several calls is prepared in the work directory and
// put in place by one rename. Making and copying inodes are inode-writer.ts and copy-up.ts.

import { assert } from "../assert.js";
import { type ByteString, bytesOf, ITSELF, type Name } from "../path.js";
import {
  Descriptor,
  isDirectory,
  O_ACCMODE,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  openAt,
  removexattrAt,
  renameAt,
  reopen,
  type Stat,
  type Statfs,
  setxattrAt,
  statAt,
  statFd,
  statfsFd,
  syncfs,
  UTIME_OMIT,
  utimensAt,
} from "../sys/index.js";
import { adoptWhiteouts } from "./adopt-whiteouts.js";
import { Blank } from "./blank.js";
import { makeCopy, marksOfCopy } from "./copy-up.js";
import { DirectoryFile, type FileOwner } from "./directory-file.js";
import { nameFor, ownFlags } from "./directory-layer.js";
import { NO_MARKS } from "./directory-marks.js";
import {
  DirectoryNode,
  type DiskMarks,
  directoryNodeOf,
  type NodePlace,
} from "./directory-node.js";
import { InodeWriter } from "./inode-writer.js";
import type {
  AttrChange,
  CopyUpSource,
  LayerFile,
  LayerMarks,
  LayerNode,
  NewInode,
  RenameHow,
  Standing,
  TakeOverPlace,
  UpperLayer,
} from "./layer.js";
import { inheritedGroup, Mould } from "./mould.js";
import { PartialLayer } from "./partial-layer.js";
import { takeOver } from "./take-over.js";
import { changeAttributes, noteImpure, writeMarks } from "./upper-attributes.js";
import { keyName, UpperIndex } from "./upper-index.js";
import { letGo, linkInode, refuseReserved, removeName, syncNames } from "./upper-names.js";
import { type DirectoryUpperOptions, upperDialect } from "./upper-options.js";
import { renameInUpper } from "./upper-rename.js";
import { Whiteouts } from "./whiteouts.js";
import type { WorkDirectory } from "./work-directory.js";

const HERE = bytesOf(".");
const NAMELESS = ITSELF as Name;

/** The work directory: what a crash leaves there goes at the next opening. It needs no marks. */
function stageIn(fd: number): DirectoryNode {
  const node = new DirectoryNode(statFd(fd), undefined, NAMELESS);
  node.heldFd = fd;
  node.marks = { ...NO_MARKS, impure: true };
  return node;
}

/** An open upper; open-upper.ts opens it. */
export class DirectoryUpper extends PartialLayer implements UpperLayer {
  readonly #work: WorkDirectory;
  readonly #whiteouts: Whiteouts;
  readonly #writer: InodeWriter;
  readonly #durable: boolean;
  readonly #index: UpperIndex;
  readonly stage: LayerNode;
  readonly blank: Blank;
  /** `.wh.` files may be in it: it was not empty, and may not have been ours. */
  readonly #adopts: boolean = false;

  constructor(title: string, rootFd: number, work: WorkDirectory, options: DirectoryUpperOptions) {
    const dialect = upperDialect(rootFd, work.form, options);
    const durable = options.volatile !== true;
    const writer = new InodeWriter(dialect.recordName, options.foreign);
    super(title, rootFd, dialect, { work, writer, durable });
    this.#work = work;
    this.#durable = durable;
    this.#writer = writer;
    this.#index = new UpperIndex(this, work.indexFd);
    this.stage = stageIn(work.fd);
    this.blank = new Blank(work, this.tools);
    this.#whiteouts = new Whiteouts(this, work);
    this.whiteoutIno = this.#whiteouts.ino;
    if (options.observe === true) return;
    const mayAdopt = options.foreign === true && !this.#whiteouts.areFiles;
    this.#adopts = mayAdopt && this.readRaw(rootFd).length > 0;
    if (options.foreign === true && dialect.recordName !== undefined) writer.recordRoot(rootFd);
  }

  override marks(node: LayerNode): DiskMarks & LayerMarks {
    const own = directoryNodeOf(node);
    // They are read before anything in the directory is.
    if (this.#adopts && own.marks === undefined && isDirectory(own.stat.mode)) this.#adopt(own);
    return super.marks(own);
  }

  #adopt(directory: DirectoryNode): void {
    const fd = this.descriptors.of(directory);
    adoptWhiteouts(fd, this.readRaw(fd), {
      whiteout: (name) => this.#putWhiteout({ parent: directory, name }),
      opaque: (dirFd, name) => this.#whiteouts.setOpaque(dirFd, name),
    });
  }

  create(directory: LayerNode, name: Name, inode: NewInode, over: Standing): LayerNode {
    const parent = directoryNodeOf(directory);
    refuseReserved(name, "create");
    if (over === "absent" && inode.opaque !== true) {
      this.#writer.make(this.descriptors.of(parent), name, inode, inheritedGroup(parent));
    } else {
      this.#prepareIn(parent, name, inode, over, (dirFd, at, inherited) => {
        this.#writer.make(dirFd, at, inode, inherited);
        if (inode.opaque === true) this.#whiteouts.setOpaque(dirFd, at);
      });
    }
    return this.#born(parent, name, inode.opaque === true ? undefined : NO_MARKS);
  }

  createOpen(
    directory: LayerNode,
    name: Name,
    inode: NewInode,
    over: Standing,
    flags: number,
  ): { readonly node: LayerNode; readonly file: LayerFile } {
    const parent = directoryNodeOf(directory);
    refuseReserved(name, "create");
    const wanted = ownFlags(flags) | O_CREAT | O_EXCL;
    const open = (dirFd: number, at: Name, inherited: number | undefined): number =>
      this.#writer.openNew(dirFd, at, inode, wanted, inherited);
    const fd =
      over === "absent"
        ? this.descriptors.withRoom(() =>
            open(this.descriptors.of(parent), name, inheritedGroup(parent)),
          )
        : this.#prepareIn(parent, name, inode, over, open);
    const node = this.#enter(parent, name, this.statOpen(fd), NO_MARKS);
    return { node, file: this.#fileOf(node, fd) };
  }

  createUnnamed(
    directory: LayerNode,
    inode: NewInode,
    flags: number,
  ): { readonly node: LayerNode; readonly file: LayerFile } {
    const parent = directoryNodeOf(directory);
    // open(2): O_TMPFILE needs write access; O_EXCL with it would forbid link.
    const access = (flags & O_ACCMODE) === O_RDONLY ? O_RDWR : 0;
    const wanted = ownFlags(flags) | access | O_TMPFILE;
    const at = this.descriptors.of(parent);
    const fd = this.#writer.openNew(at, HERE, inode, wanted, inheritedGroup(parent));
    const node = new DirectoryNode(this.statOpen(fd), undefined, NAMELESS);
    node.heldFd = reopen(fd, O_PATH);
    this.nodes.add(node);
    return { node, file: this.#fileOf(node, fd) };
  }

  /** Makes something in the work directory as it would be made in `parent`, and puts it in place. */
  #prepareIn<T>(
    parent: DirectoryNode,
    name: Name,
    inode: NewInode,
    over: Standing,
    make: (dirFd: number, at: Name, inherited: number | undefined) => T,
  ): T {
    const fd = this.descriptors.of(parent);
    const writer = this.#writer;
    return this.#work.prepare((temporary) => {
      using mould = new Mould(this.#work.fd, temporary, fd, parent.stat, !writer.records);
      const made = make(mould.fd, mould.name, inheritedGroup(parent));
      this.#whiteouts.place(mould, { parent, name }, over, inode.type === "directory");
      mould.release();
      return made;
    });
  }

  #born(parent: DirectoryNode, name: Name, marks?: DiskMarks): DirectoryNode {
    const fd = this.descriptors.of(parent);
    return this.#enter(parent, name, this.shown(statAt(fd, name), fd, name), marks);
  }

  #enter(parent: DirectoryNode, name: Name, stat: Stat, marks?: DiskMarks): DirectoryNode {
    const node = this.nodes.at(parent, name, stat);
    node.marks = marks;
    node.nameUnsynced = true;
    return node;
  }

  link(node: LayerNode, directory: LayerNode, name: Name, over: Standing): void {
    const own = directoryNodeOf(node);
    const parent = directoryNodeOf(directory);
    refuseReserved(name, "link");
    const fd = this.descriptors.of(parent);
    if (this.marks(own).metacopy) noteImpure(this, parent);
    if (over === "absent") linkInode(this, own, fd, name);
    else {
      this.#work.prepare((temporary) => {
        linkInode(this, own, this.#work.fd, temporary);
        this.#whiteouts.place(
          { fd: this.#work.fd, name: temporary },
          { parent, name },
          over,
          false,
        );
      });
    }
    own.addName(parent, name);
    own.nameUnsynced = true;
    // It can be found by its name now.
    letGo(own);
  }

  copyUp(directory: LayerNode, name: Name, source: CopyUpSource): LayerNode {
    const parent = directoryNodeOf(directory);
    const fd = this.descriptors.of(parent);
    const { mtimeSec, mtimeNsec } = statAt(fd, ITSELF);
    if ((source.data ?? "copy") !== "copy") noteImpure(this, parent);
    const copy = this.#copyTo(parent, name, source);
    // Copy-up is invisible: the directory shows no change.
    utimensAt(fd, ITSELF, { atimeSec: 0, atimeNsec: UTIME_OMIT, mtimeSec, mtimeNsec });
    return copy;
  }

  #copyTo(parent: DirectoryNode, name: Name, source: CopyUpSource): LayerNode {
    if (source.data === "blocks") this.mayHavePartial = true;
    const blank = this.blank.take(source);
    const blocks = this.#work.prepare((temporary) => {
      const made = { fd: this.#work.fd, name: temporary };
      const own = makeCopy(this.tools, made.fd, made.name, source, blank);
      this.#whiteouts.place(made, { parent, name }, "absent", false);
      return own;
    }, blank?.name);
    const marks = marksOfCopy(this.tools, source, blocks);
    return this.enterBlocks(this.#born(parent, name, marks), blocks);
  }

  copyUpIndexed(key: ByteString, source: CopyUpSource): LayerNode {
    const name = keyName(key);
    const { directory } = this.#index;
    return this.#copyTo(directory, name, source);
  }

  remove(
    directory: LayerNode,
    name: Name,
    over: Standing,
    leaveWhiteout: boolean,
    node?: LayerNode,
  ): void {
    const at = { parent: directoryNodeOf(directory), name };
    if (over === "absent" && leaveWhiteout) this.#putWhiteout(at);
    if (over === "whiteout" && !leaveWhiteout) this.#whiteouts.take(at);
    if (over === "absent" || over === "whiteout") return;
    const known = node === undefined ? undefined : directoryNodeOf(node);
    removeName(this, at, known, () => this.#whiteouts.remove(at, over, leaveWhiteout));
    this.whiteoutIno = this.#whiteouts.ino;
  }

  rename(
    oldDirectory: LayerNode,
    oldName: Name,
    newDirectory: LayerNode,
    newName: Name,
    how: RenameHow,
  ): void {
    const from = { parent: directoryNodeOf(oldDirectory), name: oldName };
    const to = { parent: directoryNodeOf(newDirectory), name: newName };
    const [work, writer, whiteouts] = [this.#work, this.#writer, this.#whiteouts];
    renameInUpper({ layer: this, work, writer, whiteouts }, from, to, how);
    this.whiteoutIno = whiteouts.ino;
  }

  setattr(node: LayerNode, change: AttrChange): void {
    changeAttributes(this, this.#writer, directoryNodeOf(node), change);
  }

  setxattr(node: LayerNode, name: ByteString, value: Uint8Array, flags: number): void {
    const own = directoryNodeOf(node);
    setxattrAt(this.fdFor(own), nameFor(own), this.storedXattr(name), value, flags);
  }

  removexattr(node: LayerNode, name: ByteString): void {
    const own = directoryNodeOf(node);
    removexattrAt(this.fdFor(own), nameFor(own), this.storedXattr(name));
  }

  mark(
    node: LayerNode,
    marks: { readonly opaque?: boolean; readonly redirect?: ByteString },
  ): void {
    writeMarks(this, this.#whiteouts, directoryNodeOf(node), marks);
  }

  indexed(key: ByteString): LayerNode | undefined {
    return this.#index.find(key);
  }

  index(key: ByteString, node: LayerNode): void {
    this.#index.add(key, directoryNodeOf(node));
  }

  unindex(key: ByteString): void {
    this.#index.remove(key);
  }

  indexKeys(): ByteString[] {
    return this.#work.keys();
  }

  /** Anew in the work directory, and over what stands at a name. */
  replace(dirFd: number, name: Name, source: CopyUpSource): void {
    this.#work.prepare((temporary) => {
      makeCopy(this.tools, this.#work.fd, temporary, source);
      renameAt(this.#work.fd, temporary, dirFd, name);
    });
  }

  takeOver(from: UpperLayer, node: LayerNode, place: TakeOverPlace | undefined): LayerNode {
    assert(from instanceof DirectoryUpper, "both uppers are directories");
    return takeOver(this, from, directoryNodeOf(node), place);
  }

  override open(node: LayerNode, flags: number): LayerFile {
    const own = directoryNodeOf(node);
    return new DirectoryFile(this.openFd(own, flags), this.#ownerOf(own));
  }

  statfs(): Statfs {
    return statfsFd(this.root.heldFd);
  }

  sync(): void {
    if (!this.#durable) return;
    using root = new Descriptor(openAt(this.root.heldFd, HERE, O_RDONLY | O_DIRECTORY));
    syncfs(root.fd);
  }

  get isBehind(): boolean {
    return this.dialect.closer?.isWaiting === true;
  }

  catchUp(): void {
    this.dialect.closer?.catchUp();
  }

  override close(): void {
    super.close();
    this.blank.drop();
    this.#writer.close();
    this.#work.close();
  }

  #putWhiteout(at: NodePlace): void {
    this.#whiteouts.put(at);
    this.whiteoutIno = this.#whiteouts.ino;
  }

  /** A file that was just made: it is asked and changed by its descriptor as long as that is open. */
  #fileOf(node: DirectoryNode, fd: number): DirectoryFile {
    node.fileFd = fd;
    return new DirectoryFile(fd, this.#ownerOf(node));
  }

  #ownerOf(node: DirectoryNode): FileOwner {
    return {
      shown: (stat, fd) => this.shown(stat, fd, ITSELF),
      durable: this.#durable,
      syncName: () => syncNames(this, node),
      truncated: (sizeBytes) => this.truncated(node, sizeBytes),
      closing: (fd) => {
        if (node.fileFd === fd) node.fileFd = -1;
      },
    };
  }
}
