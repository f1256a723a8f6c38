// The 512-byte header block: V7, ustar, GNU and star layouts read, ustar written.
// Records of extended headers are in pax.ts, sparse maps in sparse.ts.

import type { Buffer } from "node:buffer";
import type { ByteString } from "../path.js";
import { TarError } from "./errors.js";
import type { TarTime } from "./numbers.js";
import { parseField } from "./numbers.js";

export const BLOCK_BYTES = 512;

/** Type flags of POSIX and GNU, as the byte in the header. */
export const typeflag = {
  OLD_FILE: 0,
  FILE: 0x30,
  HARDLINK: 0x31,
  SYMLINK: 0x32,
  CHAR: 0x33,
  BLOCK: 0x34,
  DIRECTORY: 0x35,
  FIFO: 0x36,
  CONTIGUOUS: 0x37,
  GNU_DUMPDIR: 0x44,
  GNU_LONG_LINK: 0x4b,
  GNU_LONG_NAME: 0x4c,
  GNU_SPARSE: 0x53,
  GNU_VOLUME: 0x56,
  SOLARIS_PAX: 0x58,
  PAX_GLOBAL: 0x67,
  PAX: 0x78,
} as const;

/** A header block with its numbers decoded, before any extended header is applied to it. */
export interface TarHeader {
  readonly typeflag: number;
  readonly path: ByteString;
  readonly linkPath: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSec: number;
  readonly uname: ByteString;
  readonly gname: ByteString;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly atime: TarTime | undefined;
  readonly ctime: TarTime | undefined;
}

const LARGEST_ID = 0xffff_ffff;

/** The bytes of a field up to its first NUL. */
export function fieldBytes(block: Buffer, start: number, end: number): ByteString {
  let stop = start;
  while (stop < end && block[stop] !== 0) stop += 1;
  return (stop === start ? "" : block.toString("latin1", start, stop)) as ByteString;
}

/** True when the checksum fits, summed as unsigned bytes (POSIX) or signed ones (old Sun tar). */
function checksumFits(block: Buffer): boolean {
  const stored = parseField(block, 148, 156);
  if (stored === unsignedSum(block, 0)) return true;
  let signed = 8 * 0x20;
  for (let at = 0; at < 148; at += 1) signed += block.readInt8(at);
  for (let at = 156; at < BLOCK_BYTES; at += 1) signed += block.readInt8(at);
  return stored === signed;
}

/**
 * The sum of the block's bytes with the checksum field taken as blanks. Four bytes a step, in two
 * lanes of 16 bits that cannot overflow (128 steps of at most 510): the sum of one byte a step was a
 * third of the whole time to read a header.
 */
function unsignedSum(buffer: Buffer, start: number): number {
  const view = new DataView(buffer.buffer, buffer.byteOffset + start, BLOCK_BYTES);
  let lanes = 0;
  for (let at = 0; at < BLOCK_BYTES; at += 4) {
    const four = view.getUint32(at, true);
    lanes = (lanes + (four & 0x00ff00ff) + ((four >>> 8) & 0x00ff00ff)) | 0;
  }
  let sum = (lanes & 0xffff) + (lanes >>> 16) + 8 * 0x20;
  for (let at = 148; at < 156; at += 1) sum -= view.getUint8(at);
  return sum;
}

/** Decodes one header block; `offset` is its position, for errors. Throws TarError. */
export function parseHeader(block: Buffer, offset: number): TarHeader {
  if (!checksumFits(block)) throw new TarError("read", "archive", "wrong header checksum", offset);
  const flag = block[156] ?? 0;
  const name = fieldBytes(block, 0, 100);
  const device = flag === typeflag.CHAR || flag === typeflag.BLOCK;
  const number = (what: string, start: number, end: number, most: number): number => {
    const value = parseField(block, start, end);
    if (value === undefined || value < 0 || value > most) {
      throw new TarError("read", name, `bad ${what} in the header`, offset);
    }
    return value;
  };
  const mtimeSec = parseField(block, 136, 148);
  if (mtimeSec === undefined) throw new TarError("read", name, "bad mtime in the header", offset);
  const extra = dialectFields(block);
  return {
    typeflag: flag,
    path: (extra.prefix === "" ? name : `${extra.prefix}/${name}`) as ByteString,
    linkPath: fieldBytes(block, 157, 257),
    mode: number("mode", 100, 108, Number.MAX_SAFE_INTEGER) & 0o7777,
    uid: number("uid", 108, 116, LARGEST_ID),
    gid: number("gid", 116, 124, LARGEST_ID),
    sizeBytes: number("size", 124, 136, Number.MAX_SAFE_INTEGER),
    mtimeSec,
    uname: extra.uname,
    gname: extra.gname,
    devMajor: device ? number("device number", 329, 337, LARGEST_ID) : 0,
    devMinor: device ? number("device number", 337, 345, LARGEST_ID) : 0,
    atime: extra.atime,
    ctime: extra.ctime,
  };
}

interface DialectFields {
  readonly prefix: ByteString;
  readonly uname: ByteString;
  readonly gname: ByteString;
  readonly atime: TarTime | undefined;
  readonly ctime: TarTime | undefined;
}

const NONE = "" as ByteString;
const V7: DialectFields = {
  prefix: NONE,
  uname: NONE,
  gname: NONE,
  atime: undefined,
  ctime: undefined,
};

const NEITHER = { prefix: NONE, atime: undefined, ctime: undefined };

/** What follows the magic differs: nothing in V7, a prefix in ustar, times in GNU, both in star. */
function dialectFields(block: Buffer): DialectFields {
  if (block.readUInt32BE(257) !== 0x75737461 || block[261] !== 0x72) return V7;
  const uname = fieldBytes(block, 265, 297);
  const gname = fieldBytes(block, 297, 329);
  if (block[262] === 0x20) return { uname, gname, ...gnuFields(block) };
  // star marks itself with "tar" in the last four bytes and keeps times behind a shorter prefix.
  if (block.toString("latin1", 508, 512) === "tar\0") {
    const prefix = fieldBytes(block, 345, 476);
    return { uname, gname, prefix, atime: time(block, 476), ctime: time(block, 488) };
  }
  const prefix = block[345] === 0 ? NONE : fieldBytes(block, 345, 500);
  return { uname, gname, prefix, atime: undefined, ctime: undefined };
}

/**
 * GNU headers have no prefix, but archive/tar before Go 1.8 wrote one there in rare cases, and old
 * images keep such headers: what is no pair of times but is ASCII text is taken as a prefix, as
 * Go's own reader does.
 */
function gnuFields(block: Buffer): Pick<DialectFields, "prefix" | "atime" | "ctime"> {
  if (block[345] === 0 && block[357] === 0) return NEITHER;
  const atime = block[345] === 0 ? undefined : time(block, 345);
  const ctime = block[357] === 0 ? undefined : time(block, 357);
  const bad =
    (atime === undefined && block[345] !== 0) || (ctime === undefined && block[357] !== 0);
  if (!bad) return { prefix: NONE, atime, ctime };
  const prefix = fieldBytes(block, 345, 500);
  return /^[\x01-\x7f]*$/.test(prefix) ? { ...NEITHER, prefix } : NEITHER;
}

function time(block: Buffer, start: number): TarTime | undefined {
  const sec = parseField(block, start, start + 12);
  return sec === undefined ? undefined : { sec, nsec: 0 };
}

/** The fields of a ustar header to write; each must fit its field. */
export interface UstarFields {
  readonly prefix: string;
  readonly name: string;
  readonly typeflag: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSec: number;
  readonly linkName: string;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Writes a ustar header into 512 bytes of `target`. Owner names stay empty: they are the host's. */
export function writeHeader(target: Buffer, start: number, fields: UstarFields): void {
  target.fill(0, start, start + BLOCK_BYTES);
  target.write(fields.name, start, 100, "latin1");
  writeOctal(target, start + 100, 7, fields.mode);
  writeOctal(target, start + 108, 7, fields.uid);
  writeOctal(target, start + 116, 7, fields.gid);
  writeOctal(target, start + 124, 11, fields.sizeBytes);
  writeOctal(target, start + 136, 11, fields.mtimeSec);
  target[start + 156] = fields.typeflag;
  if (fields.linkName !== "") target.write(fields.linkName, start + 157, 100, "latin1");
  target.write("ustar\x0000", start + 257, 8, "latin1");
  writeOctal(target, start + 329, 7, fields.devMajor);
  writeOctal(target, start + 337, 7, fields.devMinor);
  if (fields.prefix !== "") target.write(fields.prefix, start + 345, 155, "latin1");
  // Six digits, NUL, blank: the form that every reader since V7 expects.
  writeOctal(target, start + 148, 6, unsignedSum(target, start));
  target[start + 155] = 0x20;
}

/** Octal digits with leading zeros; the NUL after them is there already. */
function writeOctal(target: Buffer, start: number, digits: number, value: number): void {
  let rest = value;
  for (let at = start + digits - 1; at >= start; at -= 1) {
    target[at] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}
