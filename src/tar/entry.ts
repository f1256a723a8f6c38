// What an archive says of one file, whatever dialect of tar said it.
// Codecs of the dialects are in header.ts, pax.ts and sparse.ts; what an entry means to a tree
// (whiteouts, escaping paths, duplicates) is judged by the caller.

import type { ByteString } from "../path.js";

export type EntryType = "file" | "hardlink" | "symlink" | "char" | "block" | "directory" | "fifo";

/** A run of stored bytes inside a sparse file; everything between the extents is a hole. */
export interface SparseExtent {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** One member of an archive without its content. */
export interface TarEntry {
  /**
   * As stored: may be absolute or hold "." and ".." parts. 1..65,536 bytes without NUL; slashes at
   * the end are taken off (the path "/" stays).
   */
  readonly path: ByteString;
  readonly type: EntryType;
  /** Permission bits with set-id and sticky: 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Names of the owners as the archive has them; never written. */
  readonly uname: ByteString;
  readonly gname: ByteString;
  /** Length of the file once sparse extents are put in place; 0 unless the type is "file". */
  readonly sizeBytes: number;
  /** Seconds since 1970, rounded towards the past; negative before. */
  readonly mtimeSec: number;
  /** 0..999,999,999, added to mtimeSec. */
  readonly mtimeNsec: number;
  readonly atimeSec?: number;
  readonly atimeNsec?: number;
  readonly ctimeSec?: number;
  readonly ctimeNsec?: number;
  /** Target of a symlink or hard link, as stored; "" for other types. */
  readonly linkPath: ByteString;
  /** 0 unless the type is "char" or "block". */
  readonly devMajor: number;
  readonly devMinor: number;
  /** Whole names ("user.mime_type") to raw values. */
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array>;
  /** Extents that hold data, ascending and apart from each other; undefined for a dense file. */
  readonly sparse?: readonly SparseExtent[];
}

/** The xattrs of an entry that has none. */
export const NO_XATTRS: ReadonlyMap<ByteString, Uint8Array> = new Map();
