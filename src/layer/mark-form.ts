// How an upper can write its marks on the file system where it lies: tried in its work directory, for
// no file system says it. Some refuse device 0:0 (kernel overlayfs), some take an xattr and don't show
// it again (fuse-overlayfs), some have none, some only the plain rename.

import { errno, FsError, isFsError } from "../errors.js";
import { type ByteString, bytesOf, ITSELF, type Name } from "../path.js";
import {
  AT_FDCWD,
  BTRFS_SUPER_MAGIC,
  close,
  Descriptor,
  EXT4_SUPER_MAGIC,
  getxattrAt,
  linkAt,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  openAt,
  RENAME_EXCHANGE,
  renameAt,
  S_IFCHR,
  setxattrAt,
  statfsFd,
  tryStatAt,
  XFS_SUPER_MAGIC,
} from "../sys/index.js";
import { removeTree } from "./remove-tree.js";
import { isWhiteoutStat, isXattrPrefix, MARK_NAMES, type XattrPrefix } from "./whiteout.js";

/** What an upper writes. */
export interface MarkForm {
  /** Where marks are; undefined where no xattr is kept: opaque is a file then, and nothing else can be marked. */
  readonly xattrPrefix: XattrPrefix | undefined;
  /** Device 0:0; an empty file with an xattr; a file `.wh.NAME` (if and only if there are no xattrs). */
  readonly whiteouts: "device" | "xattr" | "file";
  /** renameat2(2) has RENAME_EXCHANGE and RENAME_NOREPLACE. */
  readonly swaps: boolean;
}

/** They have all that an upper needs. */
const FULL_MAGICS: readonly number[] = [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC];
const [ONE, LINK, OTHER] = ["probe-1", "probe-2", "probe-3"].map((name) => bytesOf(name)) as [
  ...[Name, Name, Name],
];
const CREATE = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
const YES = Buffer.from("y", "latin1");

/** What file systems answer to what they don't have. */
const REFUSALS = [
  ...[
    errno.EPERM,
    errno.EACCES,
    errno.EOPNOTSUPP,
    errno.EINVAL,
    errno.ENOENT,
    errno.ENOSYS,
    errno.EXDEV,
  ],
];

/**
 * What can be written below `dirFd`, with marks under `wanted` if possible. What is tried has names
 * that nothing else there may have, and goes. Throws FsError, EOPNOTSUPP where an upper is not possible.
 */
export function probeMarkForm(dirFd: number, wanted: XattrPrefix): MarkForm {
  const full: MarkForm = { xattrPrefix: wanted, whiteouts: "device", swaps: true };
  if (FULL_MAGICS.includes(statfsFd(dirFd).type)) return full;
  discard(dirFd);
  try {
    close(openAt(dirFd, ONE, CREATE, 0o600));
    const xattrPrefix = xattrPrefixIn(dirFd, ONE, wanted);
    // As whiteouts do: fuse-overlayfs refuses it for a directory and a file of several names (EXDEV).
    isTaken(() => linkAt(dirFd, ONE, dirFd, LINK));
    mkdirAt(dirFd, OTHER, 0o700);
    const swaps = isTaken(() => renameAt(dirFd, OTHER, dirFd, LINK, RENAME_EXCHANGE));
    discard(dirFd);
    if (xattrPrefix === undefined) return { xattrPrefix, whiteouts: "file", swaps };
    // Who hides overlay's xattrs has whiteouts of its own: fuse-overlayfs fails with ENOENT, and then in
    // every listing of the directory.
    const hasDevice = xattrPrefix !== "user.strata" && takesDevice(dirFd);
    return { xattrPrefix, whiteouts: hasDevice ? "device" : "xattr", swaps };
  } finally {
    discard(dirFd);
  }
}

function discard(dirFd: number): void {
  for (const name of [ONE, LINK, OTHER]) {
    if (tryStatAt(dirFd, name) !== undefined) removeTree(dirFd, name);
  }
}

/** The best prefix under which xattrs of the file are kept, and shown again. Throws FsError. */
export function xattrPrefixIn(
  dirFd: number,
  name: ByteString,
  wanted: XattrPrefix,
): XattrPrefix | undefined {
  const prefixes: XattrPrefix[] = [wanted, "user", "user.strata"];
  return prefixes.find((prefix) => {
    const mark = MARK_NAMES[prefix].whiteout;
    if (!isTaken(() => setxattrAt(dirFd, name, mark, YES))) return false;
    return getxattrAt(dirFd, name, mark)?.equals(YES) === true;
  });
}

/** As xattrPrefixIn, for a directory where layers are to lie; `wanted` where nothing is kept. */
export function keptXattrPrefix(directory: string, wanted: XattrPrefix): XattrPrefix {
  using opened = new Descriptor(openAt(AT_FDCWD, bytesOf(directory), O_RDONLY | O_DIRECTORY));
  if (FULL_MAGICS.includes(statfsFd(opened.fd).type)) return wanted;
  // It stays there, where it says nothing: others may be trying the same now.
  return xattrPrefixIn(opened.fd, ITSELF, wanted) ?? wanted;
}

function takesDevice(dirFd: number): boolean {
  if (!isTaken(() => mknodAt(dirFd, ONE, S_IFCHR, 0, 0))) return false;
  const stat = tryStatAt(dirFd, ONE);
  return stat !== undefined && isWhiteoutStat(stat);
}

function isTaken(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (isFsError(error, ...REFUSALS)) return false;
    throw error;
  }
}

/** One line, for who can't try it: an upper that is only observed. */
export function formatMarkForm({ xattrPrefix, whiteouts, swaps }: MarkForm): string {
  return `${xattrPrefix ?? "none"} ${whiteouts} ${swaps ? "swaps" : "plain"}\n`;
}

/** The inverse. Throws FsError EIO. */
export function parseMarkForm(text: string): MarkForm {
  const [prefix, whiteouts, swaps] = text.trim().split(" ");
  const known = isXattrPrefix(prefix);
  const hasForm = whiteouts === "device" || whiteouts === "xattr" || whiteouts === "file";
  if (!(known || prefix === "none") || !hasForm) throw new FsError(errno.EIO, "read form", text);
  return { xattrPrefix: known ? prefix : undefined, whiteouts, swaps: swaps === "swaps" };
}
