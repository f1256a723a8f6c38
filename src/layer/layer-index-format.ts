// How the index of a layer that never changes lies in its file: a header, then a block for each
// directory, in the order of a walk. A block has a record of fixed size for each name, sorted by
// bytes, and behind them names, symlink targets and xattrs. All is raw, as the disk has it: what
// whiteouts and marks mean is the layer's to say. Little endian, as both our machines are.

import type { ByteString } from "../path.js";

export const MAGIC = 0x6c786474;
export const VERSION = 1;

/** Words (32 bits) of the header. Two words are a number of 64 bits, the lower one first. */
export const HEADER = {
  checksum: 0,
  magic: 1,
  version: 2,
  /** Length of the whole file, in units of BLOCK_UNIT_BYTES. */
  fileUnits: 3,
  /** Whose eyes saw the owners and attributes (viewerMark). */
  viewer: 4,
  entries: 5,
  /** The block that has the root itself, under an empty name. */
  topUnits: 6,
  topBytes: 7,
  WORDS: 16,
} as const;

/** Words of a block's head; the checksum is over all that follows it. */
export const BLOCK = { checksum: 0, bytes: 1, count: 2, WORDS: 4 } as const;

/** Words of a record. */
export const RECORD = {
  ino: 0,
  size: 2,
  blocks: 4,
  atime: 6,
  mtime: 8,
  ctime: 10,
  btime: 12,
  atimeNsec: 14,
  mtimeNsec: 15,
  ctimeNsec: 16,
  btimeNsec: 17,
  mode: 18,
  nlink: 19,
  uid: 20,
  gid: 21,
  rdevMajor: 22,
  rdevMinor: 23,
  blksize: 24,
  attributes: 25,
  /** From the beginning of the block. */
  nameAt: 26,
  /** Of the name, and above 16 bits the number of xattrs. */
  nameBytes: 27,
  /** Where the target lies, and behind it the xattrs: name's length (2 bytes), value's (4), both. */
  moreAt: 28,
  targetBytes: 29,
  /** Of a directory that is not empty: its block. */
  blockUnits: 30,
  blockBytes: 31,
  WORDS: 32,
} as const;

/** Blocks begin at multiples of it, so that 32 bits tell where. */
export const BLOCK_UNIT_BYTES = 8;

/** In place of the number of xattrs: there are more than belong in an index. */
export const XATTRS_ON_DISK = 0xffff;
/** More of them than this are left to the disk. */
export const MAX_XATTR_BYTES = 16 * 1024;

/** Where the block of a directory lies. */
export interface BlockPlace {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Xattrs as they are stored, by name. */
export type StoredXattrs = ReadonlyMap<ByteString, Buffer>;

/**
 * A sum that tells damage, not malice: over `words` from `start` on. Four lanes, because one would
 * wait for itself.
 */
export function checksumOf(words: Uint32Array, start: number): number {
  let a = words.length;
  let b = 0x9e3779b9;
  let c = 0x85ebca6b;
  let d = 0xc2b2ae35;
  let at = start;
  for (; at + 4 <= words.length; at += 4) {
    a = mixed(a, words[at] ?? 0);
    b = mixed(b, words[at + 1] ?? 0);
    c = mixed(c, words[at + 2] ?? 0);
    d = mixed(d, words[at + 3] ?? 0);
  }
  for (; at < words.length; at++) a = mixed(a, words[at] ?? 0);
  return mixed(mixed(mixed(a, b), c), d) >>> 0;
}

function mixed(sum: number, word: number): number {
  const next = Math.imul(sum ^ word, 0x9e3779b1);
  return (next << 13) | (next >>> 19);
}
