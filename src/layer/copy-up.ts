// Making the copy of a lower inode in an upper's work directory: type, content, and all metadata,
// in the one order that keeps them all. Putting it in place is the upper's step.

import { errno, FsError, isFsError } from "../errors.js";
import { type ByteString, bufferOf, textOf } from "../path.js";
import {
  ACCESS_ACL,
  close,
  copyData,
  FS_APPEND_FL,
  FS_IMMUTABLE_FL,
  ficlone,
  fsync,
  ftruncate,
  isBlockDevice,
  isCharacterDevice,
  isDirectory,
  isFifo,
  isRegular,
  isSymlink,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  openAt,
  PERMISSION_BITS,
  pwriteFull,
  setxattrAt,
  utimensAt,
} from "../sys/index.js";
import { BlockMap } from "./block-map.js";
import { formatIno, formatProtection, NO_MARKS } from "./directory-marks.js";
import type { DiskMarks } from "./directory-node.js";
import { copyExtents } from "./file-extents.js";
import { copyInodeFlags, isAnyCopied } from "./inode-flags.js";
import type { InodeWriter } from "./inode-writer.js";
import type { CopyUpSource, LayerFile, NewInode } from "./layer.js";
import { storedXattr } from "./nested.js";
import { ALL_BELOW, type MarkNames, PARTIAL } from "./whiteout.js";
import { formatBlocksMark } from "./zero-ranges.js";

/** What copies are made with. */
export interface CopyUpTools {
  readonly writer: InodeWriter;
  readonly marks: MarkNames;
  /** False where no mark can be set. */
  readonly redirects: boolean;
  /** Data reach the disk before the copy gets its name. */
  readonly durable: boolean;
  /** The upper's record of owners; with one, refused privileged xattrs are left behind. */
  readonly recordName: ByteString | undefined;
  /** Unit of partial copies; 0 where files are copied whole before they are written. */
  readonly blockBytes: number;
  /** OwnBlocks.zeroesEnds. */
  readonly zeroesEnds: boolean;
  /** False where no file shares blocks with another. */
  readonly clones: boolean;
  /** What we make can have any permissions at once, and be changed all the same. */
  readonly makesModes: boolean;
}

const SPECIAL_BITS = 0o7000;

/**
 * Files up to this size get all their data at once and are partial only until those are on the
 * disk: nobody waits for the disk then, nor is anything left to be filled in.
 */
export const COPIED_AT_ONCE_BYTES = 64 * 1024;

/**
 * Makes the copy at a name of the work directory, of the blank there if that is one. Gives the blocks of a
 * copy that was made partial. Throws FsError.
 */
export function makeCopy(
  tools: CopyUpTools,
  dirFd: number,
  name: ByteString,
  source: CopyUpSource,
  blank?: OpenName,
): BlockMap | undefined {
  if (blank !== undefined) return fillBlank(tools, blank, source);
  const { stat } = source;
  const isAsMade = tools.makesModes && hasPlainMode(source);
  const inode: NewInode = {
    type: typeOf(stat.mode),
    mode: isAsMade ? stat.mode & PERMISSION_BITS : isDirectory(stat.mode) ? 0o700 : 0o600,
    umask: 0,
    uid: stat.uid,
    gid: stat.gid,
    rdevMajor: stat.rdevMajor,
    rdevMinor: stat.rdevMinor,
    ...(source.target === undefined ? {} : { target: source.target }),
  };
  if (!isRegular(stat.mode)) {
    tools.writer.make(dirFd, name, inode, undefined);
    finish(tools, { dirFd, name }, source, isAsMade);
    return undefined;
  }
  const fd = tools.writer.openNew(dirFd, name, inode, O_CREAT | O_EXCL | O_RDWR, undefined);
  try {
    const isWhole = (source.data ?? "copy") === "copy" || stat.sizeBytes === 0;
    const blocks = isWhole ? undefined : leaveData(tools, { fd, dirFd, name }, source);
    if (isWhole) copyContent(fd, source.content, stat.sizeBytes);
    finish(tools, { fd, dirFd, name }, source, isAsMade);
    if (tools.durable && isWhole && stat.sizeBytes > 0) fsync(fd);
    return blocks;
  } finally {
    close(fd);
  }
}

/** Permissions of a file that gets its owner and mode when it is known what it is to be. */
const BLANK_MODE = 0o600;

/** Makes an empty file whose data lie below, at a name of the work directory, and gives its descriptor. Throws FsError. */
export function makeBlank(tools: CopyUpTools, dirFd: number, name: ByteString): number {
  const inode: NewInode = { type: "file", mode: BLANK_MODE, umask: 0, uid: 0, gid: 0 };
  const fd = tools.writer.openNew(dirFd, name, inode, O_CREAT | O_EXCL | O_RDWR, undefined);
  try {
    setxattrAt(dirFd, name, tools.marks.metacopy, bufferOf(ALL_BELOW));
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** True for a copy that a blank can become: one that surely gets the mark. */
export function takesBlank(tools: CopyUpTools, { stat, data, content }: CopyUpSource): boolean {
  if (!tools.makesModes || !isRegular(stat.mode) || stat.sizeBytes === 0) return false;
  if (data !== "blocks") return data === "stay";
  const { blockBytes, clones } = tools;
  return (
    blockBytes > 0 && !clones && stat.sizeBytes > COPIED_AT_ONCE_BYTES && content !== undefined
  );
}

/** Makes the copy of a blank, and closes that. */
function fillBlank(
  tools: CopyUpTools,
  blank: OpenName,
  source: CopyUpSource,
): BlockMap | undefined {
  const { dirFd, name, fd } = blank;
  const { stat, content } = source;
  try {
    ftruncate(fd, stat.sizeBytes);
    const isPartial = source.data === "blocks" && content !== undefined;
    const blocks = isPartial ? beginCopy(tools, blank, content, stat.sizeBytes) : undefined;
    if (stat.uid !== 0 || stat.gid !== 0) {
      tools.writer.chown(dirFd, name, stat, stat.uid, stat.gid);
    }
    const isAsMade = hasPlainMode(source) && (stat.mode & PERMISSION_BITS) === BLANK_MODE;
    finish(tools, blank, source, isAsMade);
    return blocks;
  } finally {
    close(fd);
  }
}

/** The marks of a copy that was just made; undefined where they are to be read. */
export function marksOfCopy(
  tools: CopyUpTools,
  { stat, data, flags = 0, originIno, redirect }: CopyUpSource,
  blocks: BlockMap | undefined,
): DiskMarks | undefined {
  if (!isRegular(stat.mode) || !tools.redirects) return undefined;
  return {
    ...NO_MARKS,
    redirect,
    originIno,
    metacopy: blocks !== undefined || (data === "stay" && stat.sizeBytes > 0),
    protection: flags & (FS_IMMUTABLE_FL | FS_APPEND_FL),
    blocks: blocks === undefined ? undefined : ALL_BELOW,
  };
}

/** Makes the new file one whose data lie below, wholly or in part; or whole where that is cheap. */
function leaveData(
  tools: CopyUpTools,
  made: OpenName,
  { content, data, stat }: CopyUpSource,
): BlockMap | undefined {
  ftruncate(made.fd, stat.sizeBytes);
  if (data === "stay" || content === undefined) {
    setxattrAt(made.dirFd, made.name, tools.marks.metacopy, bufferOf(ALL_BELOW));
    return undefined;
  }
  return beginCopy(tools, made, content, stat.sizeBytes);
}

/** Something that was made. */
interface MadeName {
  readonly dirFd: number;
  /** Empty where `dirFd` is the file itself. */
  readonly name: ByteString;
}

/** A file that is open for writing, and where it is: what can be done by name is cheaper so. */
export interface OpenName extends MadeName {
  readonly fd: number;
}

/** Permissions that nothing but being made with them gives: no set-id bit, which a new owner would lose, and no ACL. */
function hasPlainMode({ stat, xattrs }: CopyUpSource): boolean {
  return (stat.mode & SPECIAL_BITS) === 0 && !xattrs.has(ACCESS_ACL);
}

/**
 * Data of a file of the right size, but without any, are about to be written: gives the blocks of a
 * file that is partial now, undefined for one that has got all its data. Its times change. `isCut`: a limit must be
 * recorded. The size of the lower file needs none, and so no room that the inode hasn't (native-notes/partial-files.md).
 */
export function beginCopy(
  tools: CopyUpTools,
  { fd, dirFd, name }: OpenName,
  content: LayerFile,
  sizeBytes: number,
  isCut = false,
): BlockMap | undefined {
  const { blockBytes, durable, marks } = tools;
  if (tools.clones && content.fd !== undefined && ficlone(fd, content.fd)) {
    ftruncate(fd, sizeBytes);
    return undefined;
  }
  const isSmall = sizeBytes <= COPIED_AT_ONCE_BYTES;
  if (blockBytes === 0 || (isSmall && !durable)) {
    copyContent(fd, content, sizeBytes);
    if (durable) fsync(fd);
    return undefined;
  }
  const blocks = new BlockMap(blockBytes, sizeBytes, tools.zeroesEnds);
  if (isCut || content.stat().sizeBytes !== sizeBytes) {
    // Before the other: without that this one means nothing.
    const mark = formatBlocksMark({ limitBytes: sizeBytes, zeros: [] });
    setxattrAt(dirFd, name, marks.blocks, mark);
  }
  setxattrAt(dirFd, name, marks.metacopy, bufferOf(PARTIAL));
  if (isSmall) {
    copyContent(fd, content, sizeBytes);
    blocks.wrote(0, sizeBytes);
  }
  return blocks;
}

function copyContent(fd: number, content: LayerFile | undefined, sizeBytes: number): void {
  if (content === undefined) ftruncate(fd, sizeBytes);
  else if (content.fd !== undefined) copyData(content.fd, fd, sizeBytes);
  else {
    ftruncate(fd, sizeBytes);
    copyExtents(content, sizeBytes, (bytes, at) => pwriteFull(fd, bytes, 0, bytes.length, at));
  }
}

/** The owner is set already; xattrs (an ACL changes the mode) come before mode, times are last. */
function finish(
  tools: CopyUpTools,
  made: MadeName | OpenName,
  source: CopyUpSource,
  hasMode: boolean,
): void {
  const { stat } = source;
  const { dirFd, name } = made;
  for (const [xattr, value] of source.xattrs) {
    setXattr(tools, dirFd, name, storedXattr(xattr, tools.recordName), value);
  }
  const { marks } = tools;
  if (source.redirect !== undefined) {
    if (!tools.redirects) throw new FsError(errno.EXDEV, "redirect", textOf(name));
    setxattrAt(dirFd, name, marks.redirect, Buffer.from(source.redirect, "latin1"));
  }
  setOrigin(tools, dirFd, name, source);
  setFlags(tools, made, source);
  if (!hasMode && !isSymlink(stat.mode)) tools.writer.chmod(dirFd, name, stat, stat.mode);
  utimensAt(dirFd, name, stat);
}

/** Only regular files, which come open, and directories have flags. */
function setFlags(
  tools: CopyUpTools,
  made: MadeName | OpenName,
  { flags = 0 }: CopyUpSource,
): void {
  if (!isAnyCopied(flags)) return;
  const { dirFd, name } = made;
  const fd = "fd" in made ? made.fd : undefined;
  const own = fd ?? openAt(dirFd, name, O_RDONLY | O_DIRECTORY);
  try {
    const protection = copyInodeFlags(own, flags);
    if (protection === 0) return;
    setxattrAt(dirFd, name, tools.marks.protection, formatProtection(protection));
  } finally {
    if (own !== fd) close(own);
  }
}

function setXattr(
  tools: CopyUpTools,
  dirFd: number,
  name: ByteString,
  xattr: ByteString,
  value: Uint8Array,
): void {
  try {
    setxattrAt(dirFd, name, xattr, value);
  } catch (error) {
    // As the kernel does (ovl_copy_xattr): an ACL or a security label must not get lost silently.
    const mustCopy = /^(system\.posix_acl_|security\.)/.test(xattr);
    if (isFsError(error, errno.EOPNOTSUPP) && !mustCopy) return;
    if (isFsError(error, errno.EPERM) && tools.recordName !== undefined) return;
    throw error;
  }
}

/** user.* marks can't be set on symlinks and devices (xattr(7)): their number changes at copy-up. */
function setOrigin(
  tools: CopyUpTools,
  dirFd: number,
  name: ByteString,
  { originIno }: CopyUpSource,
): void {
  if (originIno === undefined) return;
  try {
    setxattrAt(dirFd, name, tools.marks.originIno, formatIno(originIno));
  } catch (error) {
    if (!isFsError(error, errno.EPERM, errno.EOPNOTSUPP)) throw error;
  }
}

function typeOf(mode: number): NewInode["type"] {
  if (isRegular(mode)) return "file";
  if (isDirectory(mode)) return "directory";
  if (isSymlink(mode)) return "symlink";
  if (isCharacterDevice(mode)) return "char";
  if (isBlockDevice(mode)) return "block";
  return isFifo(mode) ? "fifo" : "socket";
}
