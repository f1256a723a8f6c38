// The inode flags of a directory layer (chattr(1)), as ioctl(2) gives and takes them. Immutable and
// append-only are not set on an upper's own inodes but recorded in a mark, as kernel overlayfs does
// (fs/overlayfs/inode.c, ovl_fileattr_set): an inode that really had them could not be copied up to,
// linked or removed. What they forbid is overlay/'s to say.

import { Buffer } from "node:buffer";
import { errno, isFsError } from "../errors.js";
import { bytesOf, ITSELF } from "../path.js";
import {
  Descriptor,
  FS_APPEND_FL,
  FS_DIRSYNC_FL,
  FS_IMMUTABLE_FL,
  FS_NOATIME_FL,
  FS_NODUMP_FL,
  FS_SYNC_FL,
  fileFlagsAt,
  getInodeFlags,
  type InodeFlagsForm,
  isDirectory,
  O_DIRECTORY,
  O_RDONLY,
  openAt,
  removexattrAt,
  setInodeFlags,
  setxattrAt,
} from "../sys/index.js";
import { type DirectoryLayer, nameFor } from "./directory-layer.js";
import { formatProtection } from "./directory-marks.js";
import type { DirectoryNode } from "./directory-node.js";
import { MARK_NAMES } from "./whiteout.js";

const HERE = bytesOf(".");

/** The two that are recorded, in each form: FS_*_FL, FS_XFLAG_*. */
const PROTECTED_BITS: Readonly<
  Record<InodeFlagsForm, { readonly immutable: number; readonly append: number }>
> = {
  flags: { immutable: FS_IMMUTABLE_FL, append: FS_APPEND_FL },
  extended: { immutable: 0x8, append: 0x10 },
};

/** Flags that mean the same on every file system: a copy takes them along. */
const COPIED = FS_SYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL;

/** Layer.inodeFlags; `fd` is the file's, if it is open. Throws FsError ENOTTY for what is neither file nor directory. */
export function readInodeFlags(
  layer: DirectoryLayer,
  node: DirectoryNode,
  form: InodeFlagsForm,
  fd: number | undefined,
): Buffer {
  const flags = fd === undefined ? flagsByName(layer, node, form) : getInodeFlags(fd, form);
  if (layer.dialect.changes) {
    setWord(flags, wordOf(flags) | shownIn(layer.marks(node).protection, form));
  }
  return flags;
}

/** Layer.fileFlags. */
export function readFileFlags(layer: DirectoryLayer, node: DirectoryNode): number | undefined {
  const name = nameFor(node);
  if (name === ITSELF) return undefined;
  const flags = fileFlagsAt(layer.fdFor(node), name);
  if (flags === undefined || !layer.dialect.changes) return flags;
  return flags | layer.marks(node).protection;
}

function flagsByName(layer: DirectoryLayer, node: DirectoryNode, form: InodeFlagsForm): Buffer {
  using file = openForFlags(layer, node);
  return getInodeFlags(file.fd, form);
}

/** UpperLayer.setInodeFlags. Throws FsError. */
export function writeInodeFlags(
  layer: DirectoryLayer,
  node: DirectoryNode,
  form: InodeFlagsForm,
  wanted: Uint8Array,
): void {
  const recorded = shownIn(FS_IMMUTABLE_FL | FS_APPEND_FL, form);
  const bytes = Buffer.from(wanted);
  const word = wordOf(bytes);
  setWord(bytes, word & ~recorded);
  using file = openForFlags(layer, node);
  if (!getInodeFlags(file.fd, form).equals(bytes)) setInodeFlags(file.fd, form, bytes);
  const protection = protectionIn(word, form);
  if (protection === layer.marks(node).protection) return;
  const { protection: mark } = MARK_NAMES[layer.dialect.xattrPrefix];
  const [dirFd, name] = [layer.fdFor(node), nameFor(node)];
  if (protection === 0) removexattrAt(dirFd, name, mark);
  else setxattrAt(dirFd, name, mark, formatProtection(protection));
  node.marks = undefined;
}

/** False where a copy gets none of these flags. */
export function isAnyCopied(flags: number): boolean {
  return (flags & (COPIED | FS_IMMUTABLE_FL | FS_APPEND_FL)) !== 0;
}

/**
 * The copy, open as `fd`, gets what it can have of the original's flags; gives the protection that
 * is to be recorded for it. As the kernel does (ovl_copy_fileattr), a file system without flags
 * is no reason to refuse the copy.
 */
export function copyInodeFlags(fd: number, flags: number): number {
  const copied = flags & COPIED;
  if (copied !== 0) {
    try {
      const bytes = getInodeFlags(fd, "flags");
      setWord(bytes, wordOf(bytes) | copied);
      setInodeFlags(fd, "flags", bytes);
    } catch (error) {
      if (!isFsError(error, errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM)) throw error;
    }
  }
  return flags & (FS_IMMUTABLE_FL | FS_APPEND_FL);
}

function openForFlags(layer: DirectoryLayer, node: DirectoryNode): Descriptor {
  if (!isDirectory(node.stat.mode)) return new Descriptor(layer.openFd(node, O_RDONLY));
  const fd = layer.descriptors.of(node);
  return new Descriptor(layer.descriptors.withRoom(() => openAt(fd, HERE, O_RDONLY | O_DIRECTORY)));
}

function wordOf(flags: Buffer): number {
  return flags.readUInt32LE(0);
}

function setWord(flags: Buffer, word: number): void {
  flags.writeUInt32LE(word >>> 0, 0);
}

function shownIn(protection: number, form: InodeFlagsForm): number {
  const { immutable, append } = PROTECTED_BITS[form];
  return (protection & FS_IMMUTABLE_FL ? immutable : 0) | (protection & FS_APPEND_FL ? append : 0);
}

function protectionIn(word: number, form: InodeFlagsForm): number {
  const { immutable, append } = PROTECTED_BITS[form];
  return (word & immutable ? FS_IMMUTABLE_FL : 0) | (word & append ? FS_APPEND_FL : 0);
}
