// Bytes to entries: a streaming, backpressured reader of one archive.
// It finds headers and contents; what they say together is in member.ts. It judges no path and
// touches no file system.

import type { Buffer } from "node:buffer";
import type { ByteString } from "../path.js";
import { TarError } from "./errors.js";
import type { TarHeader } from "./header.js";
import { BLOCK_BYTES, fieldBytes, parseHeader, typeflag } from "./header.js";
import type { Extended, StoredContent, TarMember } from "./member.js";
import { entryOf, hasContent, MemberContent, paddingOf } from "./member.js";
import { EXTENDED_LIMIT_BYTES, PATH_LIMIT_BYTES, parsePaxRecords } from "./pax.js";
import type { PaxAttributes } from "./pax-attributes.js";
import { applyPaxRecords } from "./pax-attributes.js";
import { SourceReader } from "./source-reader.js";
import { readGnuSparse, readPaxSparse } from "./sparse-reader.js";

/** What the steps of one reading share. */
interface Reading {
  readonly source: SourceReader;
  /** Said by global headers, for every entry from there on. */
  global: PaxAttributes;
  globalBytes: number;
  /** Said by the extended headers since the last entry. */
  extended: Extended;
}

/**
 * The members of an archive in its order. The archive ends at two zero blocks or where the stream
 * ends between two members, or in the padding of one (as `umoci insert` ends its own); bytes behind the end are read and dropped, so that the source's own
 * checks run. Throws TarError for anything broken or cut off; errors of the source pass through.
 * Leaving the loop early closes the source.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<TarMember, void, undefined> {
  const reader = new SourceReader(source);
  const global: PaxAttributes = {};
  const extended = nothingExtended(global);
  const reading: Reading = { source: reader, global, globalBytes: 0, extended };
  try {
    for (;;) {
      const offset = reader.offset;
      const block = reader.tryTake(BLOCK_BYTES) ?? (await reader.take(BLOCK_BYTES));
      if (block === undefined || (block[0] === 0 && isZero(block))) {
        await finish(reading, block, offset);
        return;
      }
      const header = parseHeader(block, offset);
      if (isExtended(header.typeflag)) {
        await readExtended(reading, header, offset);
        continue;
      }
      const stored = isPlain(reading.extended, header)
        ? { storedBytes: storedBytesOf(reading.extended, header) }
        : await readSparse(reading, header, block, offset);
      const entry = entryOf(header, reading.extended, stored, offset);
      reading.extended = nothingExtended(reading.global);
      const content = new MemberContent(reader, entry?.path ?? header.path, stored.storedBytes);
      if (entry !== undefined) {
        const contentOffset = reader.offset;
        yield { entry, content, contentOffset, storedBytes: stored.storedBytes };
      }
      const left = reader.skipNow(content.abandon());
      if (left > 0) await skip(reader, left, header.path, paddingOf(stored.storedBytes));
    }
  } finally {
    await reader.close();
  }
}

function nothingExtended(global: PaxAttributes): Extended {
  return { attributes: global, longName: undefined, longLink: undefined, bytes: 0 };
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** Checks the end of the archive: `block` is the first zero block, or undefined at a bare end. */
async function finish(reading: Reading, block: Buffer | undefined, offset: number): Promise<void> {
  if (reading.extended.bytes > 0) {
    throw new TarError("read", "archive", "truncated after an extended header", offset);
  }
  if (block === undefined) return;
  const second = await reading.source.take(BLOCK_BYTES);
  if (second !== undefined && !isZero(second)) {
    throw new TarError("read", "archive", "a lone zero block amid entries", offset);
  }
  await reading.source.drain();
}

/** Past the end of a member; an archive may end within the last `paddingBytes` of it. */
async function skip(
  reader: SourceReader,
  lengthBytes: number,
  path: ByteString,
  paddingBytes: number,
): Promise<void> {
  for (let left = lengthBytes; left > 0; ) {
    const part = await reader.takeSome(left);
    if (part === undefined && left <= paddingBytes) return;
    if (part === undefined) throw reader.truncated(path, left);
    left -= part.length;
  }
}

function isExtended(flag: number): boolean {
  return (
    flag === typeflag.PAX ||
    flag === typeflag.SOLARIS_PAX ||
    flag === typeflag.PAX_GLOBAL ||
    flag === typeflag.GNU_LONG_NAME ||
    flag === typeflag.GNU_LONG_LINK
  );
}

/** Reads a header that only describes the entry (or, global, all entries) after it. */
async function readExtended(reading: Reading, header: TarHeader, offset: number): Promise<void> {
  const { extended } = reading;
  const { typeflag: flag } = header;
  const bytes = header.sizeBytes + BLOCK_BYTES;
  const isGlobal = flag === typeflag.PAX_GLOBAL;
  if (isGlobal) reading.globalBytes += bytes;
  else extended.bytes += bytes;
  const long = flag === typeflag.GNU_LONG_NAME || flag === typeflag.GNU_LONG_LINK;
  if (
    (isGlobal ? reading.globalBytes : extended.bytes) > EXTENDED_LIMIT_BYTES ||
    // The NUL behind a long name counts in its size.
    (long && header.sizeBytes > PATH_LIMIT_BYTES + 1)
  ) {
    throw new TarError("read", "archive", "extended header too large", offset);
  }
  const value = await takePadded(reading.source, header);
  if (flag === typeflag.GNU_LONG_NAME) extended.longName = fieldBytes(value, 0, value.length);
  else if (flag === typeflag.GNU_LONG_LINK) extended.longLink = fieldBytes(value, 0, value.length);
  else if (isGlobal) applyGlobal(reading, value, offset);
  else {
    const records = parsePaxRecords(value, offset + BLOCK_BYTES);
    extended.attributes = applyPaxRecords(extended.attributes, records, offset);
  }
}

async function takePadded(source: SourceReader, header: TarHeader): Promise<Buffer> {
  const padded = header.sizeBytes + paddingOf(header.sizeBytes);
  const content = source.tryTake(padded) ?? (await source.take(padded));
  if (content === undefined) throw source.truncated(header.path, padded);
  return content.subarray(0, header.sizeBytes);
}

/**
 * Xattrs and sparse maps of a global header are dropped: one for every file of an archive is
 * nobody's intent, and copying them into each entry would let a small archive cost much memory.
 */
function applyGlobal(reading: Reading, value: Buffer, offset: number): void {
  const records = parsePaxRecords(value, offset + BLOCK_BYTES);
  const {
    xattrs: _xattrs,
    sparse: _sparse,
    ...kept
  } = applyPaxRecords(reading.global, records, offset);
  if (reading.extended.attributes === reading.global) reading.extended.attributes = kept;
  reading.global = kept;
}

function storedBytesOf(extended: Extended, header: TarHeader): number {
  return hasContent(header) ? (extended.attributes.sizeBytes ?? header.sizeBytes) : 0;
}

function isPlain(extended: Extended, header: TarHeader): boolean {
  if (header.typeflag === typeflag.GNU_SPARSE) return false;
  return extended.attributes.sparse === undefined || !hasContent(header);
}

async function readSparse(
  reading: Reading,
  header: TarHeader,
  block: Buffer,
  offset: number,
): Promise<StoredContent> {
  const { source, extended } = reading;
  const stored = storedBytesOf(extended, header);
  if (extended.attributes.sparse === undefined) {
    return await readGnuSparse(source, block, header.path, stored, offset);
  }
  return await readPaxSparse(source, extended.attributes.sparse, header.path, stored, offset);
}
