// One member of an archive put together: the header block, what extended headers said, and a sparse
// map become an entry; the bytes behind it become its content. The order of headers is reader.ts's.

import { assert } from "../assert.js";
import type { ByteString } from "../path.js";
import type { EntryType, SparseExtent, TarEntry } from "./entry.js";
import { NO_XATTRS } from "./entry.js";
import { TarError } from "./errors.js";
import type { TarHeader } from "./header.js";
import { BLOCK_BYTES, typeflag } from "./header.js";
import type { TarTime } from "./numbers.js";
import type { PaxAttributes } from "./pax-attributes.js";
import type { SourceReader } from "./source-reader.js";

/** The stored bytes of a member, in order. */
export interface TarContent extends AsyncIterable<Uint8Array> {
  /** All of them when they are in memory already, else undefined: small files need no promise. */
  takeWhole(): Uint8Array | undefined;
}

/** One entry and its bytes. */
export interface TarMember {
  readonly entry: TarEntry;
  /**
   * The stored bytes: of a sparse file only its extents, one after the other. Can be read once, and
   * only until the next member is asked for; what is not read is skipped. Chunks are never reused.
   */
  readonly content: TarContent;
  /** Where the stored bytes begin in the uncompressed archive. */
  readonly contentOffset: number;
  /** How many there are. */
  readonly storedBytes: number;
}

/** Said by the extended headers since the last entry. */
export interface Extended {
  attributes: PaxAttributes;
  longName: ByteString | undefined;
  longLink: ByteString | undefined;
  /** Sum of the headers' sizes; 0 when there was none. */
  bytes: number;
}

/** What is stored behind a header: all of the file, or the extents of a sparse one. */
export interface StoredContent {
  readonly storedBytes: number;
  readonly sparse?: { readonly realSizeBytes: number; readonly extents: readonly SparseExtent[] };
}

/** Bytes that fill the last block of `sizeBytes`. */
export function paddingOf(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

const typeOfFlag: ReadonlyMap<number, EntryType> = new Map<number, EntryType>([
  [typeflag.OLD_FILE, "file"],
  [typeflag.FILE, "file"],
  [typeflag.CONTIGUOUS, "file"],
  [typeflag.GNU_SPARSE, "file"],
  [typeflag.HARDLINK, "hardlink"],
  [typeflag.SYMLINK, "symlink"],
  [typeflag.CHAR, "char"],
  [typeflag.BLOCK, "block"],
  [typeflag.DIRECTORY, "directory"],
  [typeflag.GNU_DUMPDIR, "directory"],
  [typeflag.FIFO, "fifo"],
]);

/**
 * Whether bytes follow the header. Links, devices, fifos and directories have none, whatever their
 * size field says (POSIX ustar; Go's archive/tar does the same), except the directory listings of
 * GNU's incremental dumps.
 */
export function hasContent(header: TarHeader): boolean {
  const flag = header.typeflag;
  if (typeOfFlag.get(flag) === "file") return !isOldDirectory(header);
  return flag === typeflag.GNU_DUMPDIR || !typeOfFlag.has(flag);
}

/** V7 had no directories: a file whose name ends in a slash was one. */
function isOldDirectory(header: TarHeader): boolean {
  return header.typeflag === typeflag.OLD_FILE && header.path.endsWith("/");
}

/**
 * The entry of a member; undefined for one that is no file (a volume label). Throws TarError for
 * types nobody knows, an empty path or a link without a target.
 */
export function entryOf(
  header: TarHeader,
  extended: Extended,
  stored: StoredContent,
  offset: number,
): TarEntry | undefined {
  const said = extended.attributes;
  // A GNU long name wins over pax records, as in Go's reader: image tools must agree on names.
  const rawPath = extended.longName ?? said.sparse?.name ?? said.path ?? header.path;
  const path = withoutEndSlashes(rawPath);
  if (header.typeflag === typeflag.GNU_VOLUME) return undefined;
  const type = isOldDirectory(header) ? "directory" : typeOfFlag.get(header.typeflag);
  if (type === undefined) {
    const flag = JSON.stringify(String.fromCharCode(header.typeflag));
    throw new TarError("read", path, `unknown entry type ${flag}`, offset);
  }
  if (path === "") throw new TarError("read", "archive", "entry without a path", offset);
  const isLink = type === "hardlink" || type === "symlink";
  const linkPath = isLink ? (extended.longLink ?? said.linkPath ?? header.linkPath) : NO_BYTES;
  if (isLink && linkPath === "") throw new TarError("read", path, "link without a target", offset);
  const device = type === "char" || type === "block";
  const mtime = said.mtime;
  const entry: TarEntry = {
    path,
    type,
    mode: header.mode,
    uid: said.uid ?? header.uid,
    gid: said.gid ?? header.gid,
    uname: said.uname ?? header.uname,
    gname: said.gname ?? header.gname,
    sizeBytes: type === "file" ? (stored.sparse?.realSizeBytes ?? stored.storedBytes) : 0,
    mtimeSec: mtime === undefined ? header.mtimeSec : mtime.sec,
    mtimeNsec: mtime === undefined ? 0 : mtime.nsec,
    linkPath,
    devMajor: device ? (said.devMajor ?? header.devMajor) : 0,
    devMinor: device ? (said.devMinor ?? header.devMinor) : 0,
    xattrs: said.xattrs ?? NO_XATTRS,
  };
  const atime = said.atime ?? header.atime;
  const ctime = said.ctime ?? header.ctime;
  return atime === undefined && ctime === undefined && stored.sparse === undefined
    ? entry
    : { ...entry, ...otherTimes(atime, ctime), ...sparseOf(stored) };
}

const NO_BYTES = "" as ByteString;

function otherTimes(
  atime: TarTime | undefined,
  ctime: TarTime | undefined,
): Pick<TarEntry, "atimeSec" | "atimeNsec" | "ctimeSec" | "ctimeNsec"> {
  return {
    ...(atime !== undefined && { atimeSec: atime.sec, atimeNsec: atime.nsec }),
    ...(ctime !== undefined && { ctimeSec: ctime.sec, ctimeNsec: ctime.nsec }),
  };
}

function sparseOf({ sparse }: StoredContent): Pick<TarEntry, "sparse"> {
  return sparse === undefined ? {} : { sparse: sparse.extents };
}

function withoutEndSlashes(path: ByteString): ByteString {
  let end = path.length;
  while (end > 1 && path[end - 1] === "/") end -= 1;
  return (end === path.length ? path : path.slice(0, end)) as ByteString;
}

/** The bytes of one member, read straight from the archive's source. */
export class MemberContent implements TarContent {
  readonly #source: SourceReader;
  readonly #path: ByteString;
  #left: number;
  readonly #padding: number;
  #abandoned = false;

  constructor(source: SourceReader, path: ByteString, storedBytes: number) {
    this.#source = source;
    this.#path = path;
    this.#left = storedBytes;
    this.#padding = paddingOf(storedBytes);
  }

  /** Ends the reading of this content; returns how many bytes are before the next header. */
  abandon(): number {
    this.#abandoned = true;
    return this.#left + this.#padding;
  }

  takeWhole(): Uint8Array | undefined {
    assert(!this.#abandoned, "the content of a member is read before the next member");
    const whole = this.#source.tryTake(this.#left);
    if (whole !== undefined) this.#left = 0;
    return whole;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#left > 0) {
      assert(!this.#abandoned, "the content of a member is read before the next member");
      const chunk = await this.#source.takeSome(this.#left);
      if (chunk === undefined) throw this.#source.truncated(this.#path, this.#left);
      this.#left -= chunk.length;
      yield chunk;
    }
  }
}
