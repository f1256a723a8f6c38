// Reading the encodings of a directory layer off the disk: marks in xattrs, `.wh.` files, xattr
// whiteouts. What the encodings are is whiteout.ts; what they mean together is said here.

import { Buffer } from "node:buffer";
import { errno, FsError } from "../errors.js";
import { type ByteString, isName, NAME_MAX_BYTES, type Name, textOf } from "../path.js";
import {
  DT_CHR,
  FS_APPEND_FL,
  FS_IMMUTABLE_FL,
  getxattrAt,
  listxattrAt,
  tryStatAt,
} from "../sys/index.js";
import type { DirectoryDialect } from "./directory-layer.js";
import type { DiskMarks } from "./directory-node.js";
import type { LayerDirent } from "./layer.js";
import {
  ALL_BELOW,
  FUSE_OVERLAYFS_OPAQUE,
  HAS_XATTR_WHITEOUTS,
  isPrivateXattr,
  isReservedName,
  MARK_NAMES,
  OPAQUE,
  OPAQUE_NAME,
  PARTIAL,
  parseWhiteoutName,
  whiteoutNameOf,
} from "./whiteout.js";

/** What an inode without any of our xattrs says. */
export const NO_MARKS: DiskMarks = {
  opaque: false,
  redirect: undefined,
  metacopy: false,
  originIno: undefined,
  protection: 0,
  impure: false,
  xattrWhiteouts: false,
  blocks: undefined,
};

/** What of a layer's dialect says how marks are read. */
type MarkDialect = Pick<DirectoryDialect, "xattrPrefix" | "xattrWhiteouts">;

/** Every prefix's opaque mark is believed: it can only hide what another layer would show. */
const OPAQUE_NAMES: readonly ByteString[] = [
  MARK_NAMES.trusted.opaque,
  MARK_NAMES.user.opaque,
  MARK_NAMES["user.strata"].opaque,
  FUSE_OVERLAYFS_OPAQUE,
];

/**
 * The marks in the xattrs of one inode. Opaque is read in every dialect; redirect, metacopy and
 * origin under the layer's own prefix only, since they make other files show. Throws FsError (EIO
 * for a redirect that is no path).
 */
export function readXattrMarks(dirFd: number, path: ByteString, dialect: MarkDialect): DiskMarks {
  return marksIn(listxattrAt(dirFd, path), (name) => getxattrAt(dirFd, path, name), dialect);
}

/** The same, where the names of all xattrs are known, and how to read one. */
export function marksIn(
  xattrNames: readonly ByteString[],
  readXattr: (name: ByteString) => Buffer | undefined,
  { xattrPrefix, xattrWhiteouts }: MarkDialect,
): DiskMarks {
  const names = xattrNames.filter(isPrivateXattr);
  if (names.length === 0) return NO_MARKS;
  const own = MARK_NAMES[xattrPrefix];
  const read = (name: ByteString): ByteString | undefined =>
    names.includes(name)
      ? (readXattr(name)?.toString("latin1") as ByteString | undefined)
      : undefined;
  const opaque = OPAQUE_NAMES.map(read);
  const redirect = read(own.redirect);
  if (redirect !== undefined && !isRedirect(redirect)) {
    throw new FsError(errno.EIO, "follow redirect", textOf(redirect));
  }
  return {
    opaque: opaque.includes(OPAQUE),
    // Before an upper's directory is emptied it is made opaque, which takes the other mark's place.
    xattrWhiteouts:
      opaque.includes(HAS_XATTR_WHITEOUTS) || (xattrWhiteouts && opaque.includes(OPAQUE)),
    redirect,
    metacopy: names.includes(own.metacopy),
    originIno: parseIno(read(own.originIno)),
    impure: names.includes(own.impure),
    protection: parseProtection(read(own.protection)),
    blocks: read(own.metacopy) === PARTIAL ? (read(own.blocks) ?? ALL_BELOW) : undefined,
  };
}

/** Without the redirect, where none is to be believed. */
export function believedMarks(marks: DiskMarks, followRedirects: boolean): DiskMarks {
  if (followRedirects || marks.redirect === undefined) return marks;
  return { ...marks, redirect: undefined };
}

/** overlayfs.rst: an absolute path from the layers' root, or the name of a sibling. */
function isRedirect(redirect: ByteString): boolean {
  if (!redirect.startsWith("/")) return isName(redirect);
  return redirect.slice(1).split("/").every(isName);
}

/** `originIno` is 8 bytes, little endian. */
function parseIno(bytes: ByteString | undefined): bigint | undefined {
  return bytes?.length === 8 ? Buffer.from(bytes, "latin1").readBigUInt64LE() : undefined;
}

/** As the kernel has it (ovl_check_protattr): a letter for each. */
function parseProtection(letters: ByteString | undefined): number {
  if (letters === undefined) return 0;
  return (letters.includes("i") ? FS_IMMUTABLE_FL : 0) | (letters.includes("a") ? FS_APPEND_FL : 0);
}

/** The value of the mark `protection` (ovl_set_protattr). */
export function formatProtection(protection: number): Buffer {
  const letters = `${protection & FS_APPEND_FL ? "a" : ""}${protection & FS_IMMUTABLE_FL ? "i" : ""}`;
  return Buffer.from(letters, "latin1");
}

/** The value of the mark `originIno`. */
export function formatIno(ino: bigint): Buffer {
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(ino);
  return value;
}

/** True when a zero-size file is overlayfs's whiteout without privileges (Linux 6.7). */
export function isXattrWhiteout(dirFd: number, name: Name): boolean {
  return Object.values(MARK_NAMES).some(
    ({ whiteout }) => getxattrAt(dirFd, name, whiteout) !== undefined,
  );
}

/** True when a `.wh.` file hides this name. */
export function hasWhiteoutFile(dirFd: number, name: Name): boolean {
  const file = whiteoutNameOf(name);
  return file.length <= NAME_MAX_BYTES && tryStatAt(dirFd, file) !== undefined;
}

/** True when a `.wh..wh..opq` file makes this directory opaque. */
export function hasOpaqueFile(dirFd: number): boolean {
  return tryStatAt(dirFd, OPAQUE_NAME) !== undefined;
}

/** fuse-overlayfs's whiteouts: `.wh.NAME` stands for NAME, unless the layer has NAME itself. */
export function withWhiteoutFiles(entries: LayerDirent[]): LayerDirent[] {
  if (!entries.some((entry) => isReservedName(entry.name))) return entries;
  const ordinary = entries.filter((entry) => !isReservedName(entry.name));
  const present = new Set(ordinary.map((entry) => entry.name));
  for (const { name, ino } of entries) {
    const said = parseWhiteoutName(name);
    if (said?.kind !== "whiteout" || present.has(said.of)) continue;
    ordinary.push({ name: said.of, type: DT_CHR, ino, whiteout: true });
  }
  return ordinary;
}
