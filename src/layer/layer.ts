// What a layer is: one read-only diff tree, and the upper, the one layer that changes.
// A layer knows whiteouts, opaque directories and redirects, and nothing of stacking: it never
// looks at another layer. Kinds live beside this file (directory, memory); stacking in overlay/.

import type { ByteString, Name } from "../path.js";
import type { InodeFlagsForm, Stat, Statfs } from "../sys/index.js";

/**
 * An inode of one layer, made by that layer's `root` or `lookup` and opaque to everyone else.
 * It stays valid while the layer is open: also after its file was renamed or unlinked (an upper
 * keeps what it needs). Two lookups of the same directory give the same object.
 */
export interface LayerNode {
  /** Attributes at the time of the lookup; true for ever in a read-only layer. */
  readonly stat: Stat;
}

/** The layer hides this name in the layers below it (overlayfs.rst, "whiteouts and opaque directories"). */
export const WHITEOUT: unique symbol = Symbol("whiteout");

/**
 * What one layer says of a name: a node (look no further, except below a directory that is not
 * opaque), WHITEOUT (the name is absent: look no further), undefined (ask the next layer).
 */
export type LayerLookup = LayerNode | typeof WHITEOUT | undefined;

/** One name of one layer's directory. `type` is a DT_* number; whiteouts are listed as such. */
export interface LayerDirent {
  readonly name: Name;
  readonly type: number;
  readonly ino: bigint;
  readonly whiteout: boolean;
}

/** What a directory (or file) of a layer says about the layers below it. */
export interface LayerMarks {
  /** Nothing of the lower directories of this name shows through. */
  readonly opaque: boolean;
  /**
   * The lower directories to merge with lie elsewhere: an absolute path from the layers' root
   * ("/a/b") or a sibling's name ("b"), as overlayfs.rst, "redirect_dir", has it.
   */
  readonly redirect: ByteString | undefined;
  /**
   * This regular file's data are those of the lower file (overlayfs "metacopy"), but for the blocks
   * that UpperLayer.ownBlocks tells of.
   */
  readonly metacopy: boolean;
  /** The st_ino that the merged inode had before it was copied up; undefined for an inode born here. */
  readonly originIno: bigint | undefined;
  /**
   * FS_IMMUTABLE_FL and FS_APPEND_FL that are only recorded (overlayfs "protattr"): the inode itself
   * must go on to be changeable for copy-up. Those of `stat.attributes` count besides.
   */
  readonly protection: number;
  /** Of a directory: files in it may be copies of lower ones (overlayfs "impure"), some without data. */
  readonly impure: boolean;
}

/**
 * An open file of a layer. Offsets and lengths are in bytes. `fd` is its descriptor where it has
 * one (directory layers), so that the kernel may move the data alone; memory layers have none.
 */
export interface LayerFile {
  readonly fd: number | undefined;
  /** Bytes read, 0 at the end of the file. */
  read(into: Uint8Array, start: number, lengthBytes: number, position: number): number;
  /** Bytes written; O_APPEND writes go to the end whatever `position` says. */
  write(from: Uint8Array, start: number, lengthBytes: number, position: number): number;
  stat(): Stat;
  truncate(sizeBytes: number): void;
  /** fallocate(2) with its mode bits. */
  allocate(mode: number, position: number, lengthBytes: number): void;
  /** lseek(2) with SEEK_DATA or SEEK_HOLE: the offset found; throws FsError ENXIO past the end. */
  seek(position: number, whence: number): number;
  sync(dataOnly: boolean): void;
  close(): void;
}

/** A read-only layer. Every method throws FsError with the errno the kernel is to be told. */
export interface Layer {
  /** For messages and logs. */
  readonly title: string;
  readonly root: LayerNode;
  /** Number of the file system the layer's inodes lie on: inode numbers are unique within it only. */
  readonly device: number;

  lookup(directory: LayerNode, name: Name): LayerLookup;
  /** The whole directory, unordered, without "." and "..", with whiteouts, without other marks. */
  readdir(directory: LayerNode): LayerDirent[];
  /** Fresh attributes; equal to `node.stat` in a layer that does not change. */
  stat(node: LayerNode): Stat;
  marks(node: LayerNode): LayerMarks;
  readlink(node: LayerNode): ByteString;
  /** Without the layer's own encoding; undefined when it has none of this name. */
  getxattr(node: LayerNode, name: ByteString): Buffer | undefined;
  listxattr(node: LayerNode): ByteString[];
  /**
   * The inode flags of a regular file or directory as ioctl(2) gives them (sys/ioctl.ts), the
   * recorded ones among them. `file`: it is open. Throws FsError ENOTTY where there are none.
   */
  inodeFlags(node: LayerNode, form: InodeFlagsForm, file?: LayerFile): Buffer;
  /**
   * Of a regular file FS_*_FL that mean the same on every file system, the recorded ones among them, where they can be
   * told without opening it; undefined: `inodeFlags` tells.
   */
  fileFlags?(node: LayerNode): number | undefined;
  /** Opens a regular file; `flags` are O_* of open(2) (no O_CREAT). A read-only layer allows reading only. */
  open(node: LayerNode, flags: number): LayerFile;
  /** Called when nobody needs the node any more; it may free descriptors. Using it later is allowed, but slow. */
  forget(node: LayerNode): void;
  close(): void;
}

/** What a new inode is to be. `mode` has the 12 permission bits as the caller gave them. */
export interface NewInode {
  readonly type: "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";
  readonly mode: number;
  /** Applied by the upper unless the directory's default ACL says otherwise (acl(5), OBJECT CREATION). */
  readonly umask: number;
  readonly uid: number;
  /** Group of the caller; a setgid directory's own group wins. */
  readonly gid: number;
  readonly target?: ByteString;
  readonly rdevMajor?: number;
  readonly rdevMinor?: number;
  /** Directories: made opaque in the same atomic step. */
  readonly opaque?: boolean;
}

/** What stands at the name that a step of the upper writes to. */
export type Standing = "absent" | "whiteout" | "file" | "directory";

/** A partial change of attributes: absent fields stay as they are. Times: nsec may be UTIME_NOW. */
export interface AttrChange {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes?: number;
  readonly atime?: { readonly sec: number; readonly nsec: number };
  readonly mtime?: { readonly sec: number; readonly nsec: number };
}

/** Everything that copy-up carries: `content` is read from the lower file, holes stay holes. */
export interface CopyUpSource {
  readonly stat: Stat;
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array>;
  readonly target?: ByteString;
  readonly content?: LayerFile;
  /** Written as the mark `originIno`; undefined for an inode that was born in an upper. */
  readonly originIno: bigint | undefined;
  /** The mark `redirect`, set before the copy is seen: of directories, and of files whose data stay. */
  readonly redirect?: ByteString;
  /** FS_*_FL of the original; those that a copy can have are set, or recorded. 0 if absent. */
  readonly flags?: number;
  /**
   * Of an upper that can leave data below: "stay" makes a file of metadata only, without `content`;
   * "blocks" one whose data are about to be written in part. "copy" if absent.
   */
  readonly data?: "copy" | "stay" | "blocks";
}

/**
 * The blocks of a partial file that the upper has; all others are the lower file's. Positions are
 * in bytes. Every change of it is on the disk in an order that lets a crash at any time leave a
 * file as if its last writes had not happened.
 */
export interface OwnBlocks {
  readonly blockBytes: number;
  /** Blocks that begin at or above it are own; bytes at or above it are never the lower file's. */
  readonly limitBytes: number;
  /** The file system writes zeros behind an end that moves (btrfs): a block with an end must be own before. */
  readonly zeroesEnds: boolean;
  /** All blocks are own: the lower file is of no use any more. */
  readonly isComplete: boolean;
  owns(position: number): boolean;
  /** Where the run of blocks that are equally own or not ends; at most `until`. */
  runEnd(position: number, until: number): number;
  /** All blocks that this range touches were written, whole. */
  wrote(start: number, end: number): void;
}

/** How a rename leaves its two names. */
export interface RenameHow {
  /** What stands at the new name in this upper now. "directory": an upper directory that shows empty. */
  readonly over: Standing;
  /** A whiteout takes the old name's place, in the same atomic step. */
  readonly leaveWhiteout: boolean;
  /** RENAME_WHITEOUT: in place of that, this device, which shows. Only over a file or a directory may a crash leave the two swapped. */
  readonly leaveDevice?: NewInode | undefined;
  /** RENAME_EXCHANGE: both names stay, their inodes swap; `over` and `leaveWhiteout` are ignored. */
  readonly exchange: boolean;
}

/** Where a file moves that an upper takes over: its directory in both uppers, and its only name. */
export interface TakeOverPlace {
  readonly formerDirectory: LayerNode;
  readonly directory: LayerNode;
  readonly name: Name;
}

/** Something that is made in idle time, before it is needed. */
export interface MadeAhead {
  /** There is none, and it was needed not long ago. */
  readonly isWanted: boolean;
  /** Throws FsError. */
  make(): void;
  /** It is not needed any more. */
  drop(): void;
}

/**
 * The one layer that changes. Every method is one atomic step: after a crash the tree shows it
 * whole or not at all, and what a half-done step left lies in the work directory, where the next
 * opening removes it. Nodes given for directories must be nodes of this upper.
 */
export interface UpperLayer extends Layer {
  /** A new inode. `over` is "absent" or "whiteout"; the whiteout is replaced. */
  create(directory: LayerNode, name: Name, inode: NewInode, over: Standing): LayerNode;
  /** As `create` of a regular file, opened with `flags`. */
  createOpen(
    directory: LayerNode,
    name: Name,
    inode: NewInode,
    over: Standing,
    flags: number,
  ): { readonly node: LayerNode; readonly file: LayerFile };
  /** A regular file without a name (O_TMPFILE), opened with `flags`; `link` may name it. */
  createUnnamed(
    directory: LayerNode,
    inode: NewInode,
    flags: number,
  ): { readonly node: LayerNode; readonly file: LayerFile };
  /** A second name of an inode of this upper. */
  link(node: LayerNode, directory: LayerNode, name: Name, over: Standing): void;
  /** A copy of a lower inode with all its metadata at a name that is absent (from the upper). Directories come without content. */
  copyUp(directory: LayerNode, name: Name, source: CopyUpSource): LayerNode;
  /**
   * Removes the name: leaves nothing, or a whiteout in its place. `over` tells what stands there now ("directory":
   * it may hold whiteouts; ENOTEMPTY, with nothing changed, where it holds more), `node` its node, if known.
   */
  remove(
    directory: LayerNode,
    name: Name,
    over: Standing,
    leaveWhiteout: boolean,
    node?: LayerNode,
  ): void;
  /** Moves an inode of this upper; its node goes on meaning it. */
  rename(
    oldDirectory: LayerNode,
    oldName: Name,
    newDirectory: LayerNode,
    newName: Name,
    how: RenameHow,
  ): void;
  setattr(node: LayerNode, change: AttrChange): void;
  setxattr(node: LayerNode, name: ByteString, value: Uint8Array, flags: number): void;
  removexattr(node: LayerNode, name: ByteString): void;
  /** What `inodeFlags` gives becomes `wanted`; only bits that differ are touched. */
  setInodeFlags(node: LayerNode, form: InodeFlagsForm, wanted: Uint8Array): void;
  /** Sets marks of a directory: opaque, redirect. Absent fields stay as they are. */
  mark(node: LayerNode, marks: { readonly opaque?: boolean; readonly redirect?: ByteString }): void;

  /**
   * The hard-link index: a lower inode with several names that was copied up is found under all
   * of them by its key (overlayfs.rst, "index"). `indexed` gives the upper node, `index` records it.
   * Index entries count in st_nlink: on disk they are hard links.
   */
  indexed(key: ByteString): LayerNode | undefined;
  index(key: ByteString, node: LayerNode): void;
  unindex(key: ByteString): void;
  /**
   * As `copyUp`, but into the index only, under a key that is not there yet: the copy has no name.
   * So a lower inode with several names changes under all of them in one atomic step.
   */
  copyUpIndexed(key: ByteString, source: CopyUpSource): LayerNode;
  /** All keys of the index. */
  indexKeys(): ByteString[];

  /** Whether copies may leave their data below (CopyUpSource.data). */
  readonly leavesData: boolean;
  /** Of a file with the mark `metacopy`: undefined when all data are the lower file's. */
  ownBlocks(node: LayerNode): OwnBlocks | undefined;
  /**
   * Data of a file that has none of its own are about to be written: it gets own blocks, or all of
   * `content` at once where that is cheap. Nobody sees a difference but in the mark `metacopy`.
   */
  beginBlocks(node: LayerNode, content: LayerFile): void;
  /**
   * Blocks become the upper's own, and zeros; their data may be punched out then. False when there
   * is no room to record that (then they can be written).
   */
  zeroBlocks(node: LayerNode, start: number, end: number): boolean;
  /** All blocks are own, and on the disk: it becomes an ordinary file. */
  finishBlocks(node: LayerNode): void;
  /**
   * A file of `from`, the upper that this one was put above, moves here with its inode, because
   * somebody writes it; an empty file with the same metadata stays behind. Without `place` it is a
   * file without names. A crash between the two leaves one inode under both names.
   */
  takeOver(from: UpperLayer, node: LayerNode, place: TakeOverPlace | undefined): LayerNode;
  /** A directory that no one sees, for copies that are tried and removed; nobody else's names are in it. */
  readonly stage?: LayerNode;
  /** What the next copy whose data stay below can be made of. */
  readonly blank?: MadeAhead;
  /** A former run may have left partial files; false once that is known to be over. */
  mayHavePartial: boolean;

  /** Of removed files something is left to be done, by `catchUp`, when nobody asks for anything. */
  readonly isBehind?: boolean;
  catchUp?(): void;

  statfs(): Statfs;
  /** Everything written so far is on the disk when it returns (syncfs). */
  sync(): void;
}
