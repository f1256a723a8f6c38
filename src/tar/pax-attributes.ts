// What the records of extended headers say of an entry: POSIX keys, SCHILY.xattr (star, GNU tar,
// Go), LIBARCHIVE.xattr, and the three sparse formats of GNU tar. Pure; no reading.

import { Buffer } from "node:buffer";
import type { ByteString } from "../path.js";
import { bytesOfBuffer } from "../path.js";
import { TarError } from "./errors.js";
import type { TarTime } from "./numbers.js";
import { parseDecimal, parsePaxTime } from "./numbers.js";
import type { PaxRecord } from "./pax.js";
import { PATH_LIMIT_BYTES } from "./pax.js";

/** Undefined is "not said": the header block decides. */
export interface PaxAttributes {
  path?: ByteString | undefined;
  linkPath?: ByteString | undefined;
  sizeBytes?: number | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
  uname?: ByteString | undefined;
  gname?: ByteString | undefined;
  mtime?: TarTime | undefined;
  atime?: TarTime | undefined;
  ctime?: TarTime | undefined;
  devMajor?: number | undefined;
  devMinor?: number | undefined;
  xattrs?: ReadonlyMap<ByteString, Uint8Array>;
  sparse?: PaxSparse;
}

/** The GNU.sparse.* records: formats 0.0 and 0.1 carry the map, 1.0 keeps it in the content. */
export interface PaxSparse {
  readonly major?: number;
  readonly minor?: number;
  readonly name?: ByteString;
  readonly realSizeBytes?: number;
  /** offset, length, offset, length …; 0.0 repeats its keys, so order counts. */
  readonly map: readonly number[];
}

const SCHILY_XATTR = "SCHILY.xattr.";
const LIBARCHIVE_XATTR = "LIBARCHIVE.xattr.";
const GNU_SPARSE = "GNU.sparse.";
const LARGEST_ID = 0xffff_ffff;

/**
 * `base` (what global headers said) with the records applied in order, the last of a key winning.
 * An empty value takes a record back (POSIX), except an xattr's, which may be empty in truth.
 * Unknown keys are passed over, as POSIX wants. Throws TarError for malformed values.
 */
export function applyPaxRecords(
  base: PaxAttributes,
  records: readonly PaxRecord[],
  offset: number,
): PaxAttributes {
  const result: PaxAttributes = { ...base };
  const xattrs = new Map<ByteString, Uint8Array>(base.xattrs);
  const sparseRecords: PaxRecord[] = [];
  for (const record of records) {
    if (record.key.startsWith(SCHILY_XATTR)) {
      setXattr(xattrs, record.key.slice(SCHILY_XATTR.length), record.value, offset);
    } else if (record.key.startsWith(LIBARCHIVE_XATTR)) {
      setLibarchiveXattr(xattrs, record, offset);
    } else if (record.key.startsWith(GNU_SPARSE)) {
      sparseRecords.push(record);
    } else {
      applyRecord(result, record, offset);
    }
  }
  if (xattrs.size > 0) result.xattrs = xattrs;
  if (sparseRecords.length > 0) result.sparse = sparseOf(sparseRecords, offset);
  return result;
}

function applyRecord(result: PaxAttributes, record: PaxRecord, offset: number): void {
  const { key, value } = record;
  const said = value.length > 0;
  switch (key as string) {
    case "path":
      result.path = said ? pathOf(record, offset) : undefined;
      break;
    case "linkpath":
      result.linkPath = said ? pathOf(record, offset) : undefined;
      break;
    case "size":
      result.sizeBytes = said ? numberOf(record, Number.MAX_SAFE_INTEGER, offset) : undefined;
      break;
    case "uid":
      result.uid = said ? numberOf(record, LARGEST_ID, offset) : undefined;
      break;
    case "gid":
      result.gid = said ? numberOf(record, LARGEST_ID, offset) : undefined;
      break;
    case "uname":
      result.uname = said ? bytesOfBuffer(value) : undefined;
      break;
    case "gname":
      result.gname = said ? bytesOfBuffer(value) : undefined;
      break;
    case "mtime":
      result.mtime = said ? timeOf(record, offset) : undefined;
      break;
    case "atime":
      result.atime = said ? timeOf(record, offset) : undefined;
      break;
    case "ctime":
      result.ctime = said ? timeOf(record, offset) : undefined;
      break;
    case "SCHILY.devmajor":
      result.devMajor = said ? numberOf(record, LARGEST_ID, offset) : undefined;
      break;
    case "SCHILY.devminor":
      result.devMinor = said ? numberOf(record, LARGEST_ID, offset) : undefined;
      break;
    default:
      break;
  }
}

function malformed({ key }: PaxRecord, offset: number): TarError {
  return new TarError("read", "archive", `bad value of the pax record "${key}"`, offset);
}

function pathOf(record: PaxRecord, offset: number): ByteString {
  if (record.value.length > PATH_LIMIT_BYTES || record.value.includes(0)) {
    throw malformed(record, offset);
  }
  return bytesOfBuffer(record.value);
}

function numberOf(record: PaxRecord, most: number, offset: number): number {
  const value = parseDecimal(record.value.toString("latin1"));
  if (value === undefined || value > most) throw malformed(record, offset);
  return value;
}

function timeOf(record: PaxRecord, offset: number): TarTime {
  const time = parsePaxTime(record.value.toString("latin1"));
  if (time === undefined) throw malformed(record, offset);
  return time;
}

function setXattr(
  xattrs: Map<ByteString, Uint8Array>,
  name: string,
  value: Buffer,
  offset: number,
): void {
  if (name === "" || name.includes("\0")) {
    throw new TarError("read", "archive", "xattr without a usable name", offset);
  }
  // A copy: a view would keep a whole chunk of the archive alive.
  xattrs.set(name as ByteString, new Uint8Array(value));
}

/**
 * libarchive writes each xattr twice, here with the name URL-encoded and the value in base64
 * (without padding). SCHILY's raw form wins where both are given.
 */
function setLibarchiveXattr(
  xattrs: Map<ByteString, Uint8Array>,
  record: PaxRecord,
  offset: number,
): void {
  const name = record.key
    .slice(LIBARCHIVE_XATTR.length)
    .replace(/%([0-9A-Fa-f]{2})/g, (_match, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  if (xattrs.has(name as ByteString)) return;
  const text = record.value.toString("latin1");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw malformed(record, offset);
  setXattr(xattrs, name, Buffer.from(text, "base64"), offset);
}

function sparseOf(records: readonly PaxRecord[], offset: number): PaxSparse {
  const map: number[] = [];
  let sparse: Omit<PaxSparse, "map"> = {};
  for (const record of records) {
    const number = (): number => numberOf(record, Number.MAX_SAFE_INTEGER, offset);
    switch (record.key.slice(GNU_SPARSE.length)) {
      case "major":
        sparse = { ...sparse, major: number() };
        break;
      case "minor":
        sparse = { ...sparse, minor: number() };
        break;
      case "name":
        sparse = { ...sparse, name: pathOf(record, offset) };
        break;
      case "realsize":
      case "size":
        sparse = { ...sparse, realSizeBytes: number() };
        break;
      case "offset":
      case "numbytes":
        map.push(number());
        break;
      case "map":
        for (const value of mapOf(record, offset)) map.push(value);
        break;
      default:
        break;
    }
  }
  return { ...sparse, map };
}

function mapOf(record: PaxRecord, offset: number): number[] {
  if (record.value.length === 0) return [];
  return record.value
    .toString("latin1")
    .split(",")
    .map((text) => {
      const value = parseDecimal(text);
      if (value === undefined) throw malformed(record, offset);
      return value;
    });
}
