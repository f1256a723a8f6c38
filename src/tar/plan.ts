// Decides how one entry is written: the fields of its ustar header, and the pax records for what
// these cannot hold. Pure; writer.ts puts the result into bytes.

import { Buffer, isUtf8 } from "node:buffer";
import type { ByteString } from "../path.js";
import { bufferOf, compareBytes } from "../path.js";
import type { EntryType, TarEntry } from "./entry.js";
import { TarError } from "./errors.js";
import type { UstarFields } from "./header.js";
import { BLOCK_BYTES, typeflag } from "./header.js";
import { formatPaxTime } from "./numbers.js";
import type { PaxRecord } from "./pax.js";
import { EXTENDED_LIMIT_BYTES, formatPaxRecords, PATH_LIMIT_BYTES } from "./pax.js";

const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
/** Largest numbers of seven and eleven octal digits. */
const ID_LIMIT = 0o7777777;
const SIZE_LIMIT = 0o77777777777;
const LARGEST_ID = 0xffff_ffff;

/** The headers of one member. */
export interface MemberHeaders {
  readonly pax?: { readonly header: UstarFields; readonly records: Buffer };
  readonly header: UstarFields;
}

const flagOfType: Readonly<Record<EntryType, number>> = {
  file: typeflag.FILE,
  hardlink: typeflag.HARDLINK,
  symlink: typeflag.SYMLINK,
  char: typeflag.CHAR,
  block: typeflag.BLOCK,
  directory: typeflag.DIRECTORY,
  fifo: typeflag.FIFO,
};

/** Plans one entry; `offset` is where it begins, for errors. Throws TarError for what tar lacks. */
export function headersOf(entry: TarEntry, offset: number): MemberHeaders {
  checkEntry(entry, offset);
  const path = entry.type === "directory" ? directoryPath(entry.path) : entry.path;
  const split = splitPath(path);
  const timeFits = entry.mtimeNsec === 0 && entry.mtimeSec >= 0 && entry.mtimeSec <= SIZE_LIMIT;
  const header: UstarFields = {
    // Spelled out: a spread here took as long as all else of an entry (measured).
    prefix: split === undefined ? "" : split.prefix,
    name: split === undefined ? path.slice(0, NAME_BYTES) : split.name,
    typeflag: flagOfType[entry.type],
    mode: entry.mode,
    uid: entry.uid <= ID_LIMIT ? entry.uid : 0,
    gid: entry.gid <= ID_LIMIT ? entry.gid : 0,
    sizeBytes: entry.sizeBytes <= SIZE_LIMIT ? entry.sizeBytes : 0,
    // Readers without pax get the nearest whole second that ustar has.
    mtimeSec: Math.min(Math.max(entry.mtimeSec, 0), SIZE_LIMIT),
    linkName: entry.linkPath.slice(0, NAME_BYTES),
    devMajor: entry.devMajor,
    devMinor: entry.devMinor,
  };
  if (
    split !== undefined &&
    timeFits &&
    header.uid === entry.uid &&
    header.gid === entry.gid &&
    header.sizeBytes === entry.sizeBytes &&
    entry.linkPath.length <= NAME_BYTES &&
    entry.xattrs.size === 0
  ) {
    return { header };
  }
  const records = recordsOf(entry, split === undefined ? path : undefined, timeFits, offset);
  return { header, pax: { header: paxHeader(path, records.length), records } };
}

function checkEntry(entry: TarEntry, offset: number): void {
  const fault = faultOf(entry);
  if (fault !== undefined) throw new TarError("write", entry.path, fault, offset);
}

/** Why tar cannot hold the entry, if it cannot. */
function faultOf(entry: TarEntry): string | undefined {
  const within = (value: number, most: number): boolean =>
    Number.isSafeInteger(value) && value >= 0 && value <= most;
  const isLink = entry.type === "hardlink" || entry.type === "symlink";
  if (entry.path === "" || entry.path.includes("\0")) return "empty path or NUL in it";
  if (entry.linkPath.includes("\0")) return "NUL in the link target";
  if (entry.path.length >= PATH_LIMIT_BYTES) return "path too long";
  if (entry.linkPath.length > PATH_LIMIT_BYTES) return "link target too long";
  if (isLink !== (entry.linkPath !== "")) return "a link needs a target, others have none";
  if (entry.type !== "directory" && entry.path.endsWith("/")) return "slash after a file name";
  if (!within(entry.sizeBytes, Number.MAX_SAFE_INTEGER)) return "size out of range";
  if (entry.type !== "file" && entry.sizeBytes !== 0) return "content in an entry that has none";
  if (!within(entry.uid, LARGEST_ID) || !within(entry.gid, LARGEST_ID)) return "id out of range";
  if (!within(entry.mode, 0o7777)) return "mode out of range";
  if (!within(entry.devMajor, ID_LIMIT) || !within(entry.devMinor, ID_LIMIT)) {
    return "device number out of range";
  }
  if (!Number.isSafeInteger(entry.mtimeSec) || !within(entry.mtimeNsec, 999_999_999)) {
    return "mtime out of range";
  }
  return undefined;
}

function directoryPath(path: ByteString): ByteString {
  return (path.endsWith("/") ? path : `${path}/`) as ByteString;
}

/** Splits at the last slash that leaves both parts within their fields; undefined if none does. */
function splitPath(path: ByteString): { prefix: string; name: string } | undefined {
  if (path.length <= NAME_BYTES) return { prefix: "", name: path };
  if (path.length > PREFIX_BYTES + 1 + NAME_BYTES) return undefined;
  // From the end of the longest prefix, so that the name is as short as can be; not the slash that
  // ends a directory's name.
  const slash = path.lastIndexOf("/", Math.min(PREFIX_BYTES, path.length - 2));
  const name = path.slice(slash + 1);
  if (slash <= 0 || name.length > NAME_BYTES) return undefined;
  return { prefix: path.slice(0, slash), name };
}

function recordsOf(
  entry: TarEntry,
  longPath: ByteString | undefined,
  timeFits: boolean,
  offset: number,
): Buffer {
  const records: PaxRecord[] = [];
  const add = (key: string, value: Uint8Array | string): void => {
    const bytes = typeof value === "string" ? Buffer.from(value, "latin1") : Buffer.from(value);
    records.push({ key: key as ByteString, value: bytes });
  };
  const longLink = entry.linkPath.length > NAME_BYTES ? entry.linkPath : undefined;
  if (longPath !== undefined) add("path", longPath);
  if (longLink !== undefined) add("linkpath", longLink);
  // Without it libarchive takes the values for UTF-8 and refuses what is not; others pass over it.
  if (!isText(longPath) || !isText(longLink)) add("hdrcharset", "BINARY");
  if (entry.sizeBytes > SIZE_LIMIT) add("size", String(entry.sizeBytes));
  if (entry.uid > ID_LIMIT) add("uid", String(entry.uid));
  if (entry.gid > ID_LIMIT) add("gid", String(entry.gid));
  if (!timeFits) add("mtime", formatPaxTime({ sec: entry.mtimeSec, nsec: entry.mtimeNsec }));
  for (const [name, value] of entry.xattrs) {
    if (name === "" || name.includes("=") || name.includes("\0")) {
      throw new TarError("write", entry.path, `xattr name "${name}" has no form in pax`, offset);
    }
    add(`SCHILY.xattr.${name}`, value);
  }
  records.sort((a, b) => compareBytes(a.key, b.key));
  const content = formatPaxRecords(records);
  if (content.length + BLOCK_BYTES > EXTENDED_LIMIT_BYTES) {
    throw new TarError("write", entry.path, "attributes too large for a pax header", offset);
  }
  return content;
}

/** True for valid UTF-8, and where there is nothing. */
function isText(bytes: ByteString | undefined): boolean {
  return bytes === undefined || isUtf8(bufferOf(bytes));
}

/** A name no process id gets into; readers show it only when they do not know pax. */
function paxHeader(path: ByteString, sizeBytes: number): UstarFields {
  const base = path.replace(/\/+$/, "").replace(/^.*\//s, "");
  return {
    prefix: "",
    name: `PaxHeaders.0/${base}`.slice(0, NAME_BYTES),
    typeflag: typeflag.PAX,
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes,
    mtimeSec: 0,
    linkName: "",
    devMajor: 0,
    devMinor: 0,
  };
}
