// The encodings of "this name is gone" and "nothing below shows through", all in one place:
// overlayfs's on disk, fuse-overlayfs's on disk, and the OCI image format's in archives.
// Only names, values and questions; the kinds of layers do the reading and writing.
// Sources: overlayfs.rst "whiteouts and opaque directories"; image-spec layer.md "Whiteouts".

import { type ByteString, bytesOf, isName, type Name } from "../path.js";
import { isCharacterDevice, type Stat } from "../sys/index.js";

/**
 * Where the marks of a layer live: trusted.* needs CAP_SYS_ADMIN, user.* does not; user.strata.* is
 * for file systems that keep neither for us (fuse-overlayfs hides both).
 */
export type XattrPrefix = "trusted" | "user" | "user.strata";

/** The names of one prefix's marks (overlayfs.rst; the last ones are strata's own). */
export interface MarkNames {
  readonly opaque: ByteString;
  readonly redirect: ByteString;
  readonly metacopy: ByteString;
  readonly whiteout: ByteString;
  /** Of a directory: it has copies of lower files in it. */
  readonly impure: ByteString;
  /** Immutable and append-only, recorded (inode-flags.ts). */
  readonly protection: ByteString;
  readonly originIno: ByteString;
  /** Of a partial file: its limit and zeros (zero-ranges.ts). */
  readonly blocks: ByteString;
  /** Of the work directory: there may be partial files in the upper. */
  readonly partial: ByteString;
}

function markNames(prefix: XattrPrefix): MarkNames {
  return {
    opaque: bytesOf(`${prefix}.overlay.opaque`),
    redirect: bytesOf(`${prefix}.overlay.redirect`),
    metacopy: bytesOf(`${prefix}.overlay.metacopy`),
    whiteout: bytesOf(`${prefix}.overlay.whiteout`),
    impure: bytesOf(`${prefix}.overlay.impure`),
    protection: bytesOf(`${prefix}.overlay.protattr`),
    originIno: bytesOf(`${prefix}.overlay.strata.ino`),
    blocks: bytesOf(`${prefix}.overlay.strata.blocks`),
    partial: bytesOf(`${prefix}.overlay.strata.partial`),
  };
}

/** The marks' names by prefix. */
export const MARK_NAMES: Readonly<Record<XattrPrefix, MarkNames>> = {
  trusted: markNames("trusted"),
  user: markNames("user"),
  "user.strata": markNames("user.strata"),
};

export function isXattrPrefix(text: string | undefined): text is XattrPrefix {
  return text !== undefined && Object.hasOwn(MARK_NAMES, text);
}

/** fuse-overlayfs's opaque mark without privileges; its value is "y" as well. */
export const FUSE_OVERLAYFS_OPAQUE = bytesOf("user.fuseoverlayfs.opaque");

/** Value of the opaque mark: nothing of the lower directories shows. */
export const OPAQUE = bytesOf("y");

/** Value of the opaque mark: not opaque, but some files here may be xattr whiteouts. */
export const HAS_XATTR_WHITEOUTS = bytesOf("x");

/** containers/storage: owner, mode and type that the file system itself refused to take. */
export const OVERRIDE_STAT = bytesOf("user.containers.override_stat");

/** Value of the mark `metacopy`: all data lie below. The kernel's longer form says the same. */
export const ALL_BELOW = bytesOf("");

/**
 * Value of the mark `metacopy` of a partial file. No value the kernel knows is so short: it refuses
 * the file (EIO; ovl_check_metacopy_xattr) rather than show the lower file's data for all.
 */
export const PARTIAL = bytesOf("p");

/** fuse-overlayfs's record of the same, in the form that needs root ("xattr_permissions=1"). */
export const PRIVILEGED_OVERRIDE_STAT = bytesOf("security.fuseoverlayfs.override_stat");

/** All names that such records have had, as fuse-overlayfs looks for them. */
export const RECORD_NAMES: readonly ByteString[] = [
  PRIVILEGED_OVERRIDE_STAT,
  bytesOf("user.fuseoverlayfs.override_stat"),
  OVERRIDE_STAT,
];

/** Of the xattrs that are an encoding, ours or that of a union inside ours (nested.ts). */
export const PRIVATE_PREFIXES: readonly string[] = [
  "trusted.overlay.",
  "user.overlay.",
  "user.fuseoverlayfs.",
  "user.strata.overlay.",
];

/**
 * True for the xattrs that are a layer's encoding and not its content. A layer never shows them,
 * an upper refuses to set them (EPERM), and an archive must not bring them in: a planted redirect
 * would show files of elsewhere.
 */
export function isPrivateXattr(name: ByteString): boolean {
  return PRIVATE_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** True for overlayfs's whiteout: a character device 0:0. */
export function isWhiteoutStat(stat: Stat): boolean {
  return isCharacterDevice(stat.mode) && stat.rdevMajor === 0 && stat.rdevMinor === 0;
}

const WHITEOUT_PREFIX = ".wh.";
const META_PREFIX = ".wh..wh.";

/** Name of the file that makes its directory opaque, in archives and for fuse-overlayfs. */
export const OPAQUE_NAME = bytesOf(".wh..wh..opq") as Name;

/**
 * What a `.wh.` name says: "whiteout" hides `of`; "opaque" hides all lower content of its
 * directory; "reserved" says nothing (AUFS's own files, and ".wh." without a usable name).
 */
export type WhiteoutName =
  | { readonly kind: "whiteout"; readonly of: Name }
  | { readonly kind: "opaque" }
  | { readonly kind: "reserved" };

/** Reads a `.wh.` name; undefined for the name of an ordinary file. */
export function parseWhiteoutName(name: ByteString): WhiteoutName | undefined {
  if (!name.startsWith(WHITEOUT_PREFIX)) return undefined;
  if (name === OPAQUE_NAME) return { kind: "opaque" };
  if (name.startsWith(META_PREFIX)) return { kind: "reserved" };
  const of = name.slice(WHITEOUT_PREFIX.length);
  return isName(of) ? { kind: "whiteout", of } : { kind: "reserved" };
}

/**
 * The `.wh.` name that hides `name`. It may be longer than a file name can be: archives can carry
 * that, directories cannot.
 */
export function whiteoutNameOf(name: Name): ByteString {
  return `${WHITEOUT_PREFIX}${name}` as ByteString;
}

/**
 * True for names that no file of an upper may have: as a member of a layer's archive the name
 * would mean something else.
 */
export function isReservedName(name: ByteString): boolean {
  return name.startsWith(WHITEOUT_PREFIX);
}
