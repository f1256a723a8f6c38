// Reads the maps of sparse members from the archive: continuation headers of old GNU tar, and the
// lines in front of the content in pax format 1.0. Their decoding is in sparse.ts.

import type { Buffer } from "node:buffer";
import type { ByteString } from "../path.js";
import { TarError } from "./errors.js";
import { BLOCK_BYTES } from "./header.js";
import type { StoredContent } from "./member.js";
import type { PaxSparse } from "./pax-attributes.js";
import type { SourceReader } from "./source-reader.js";
import { addGnuSparsePairs, checkedExtents, gnuSparseRealSize, SparseMapReader } from "./sparse.js";

/** The stored content behind an old GNU sparse header (type "S"). */
export async function readGnuSparse(
  source: SourceReader,
  header: Buffer,
  path: ByteString,
  storedBytes: number,
  offset: number,
): Promise<StoredContent> {
  const map: number[] = [];
  let more = addGnuSparsePairs(header, "header", map);
  while (more) {
    const block = await takeBlock(source, path);
    more = addGnuSparsePairs(block, "continuation", map);
  }
  const realSizeBytes = gnuSparseRealSize(header);
  if (more === undefined || realSizeBytes === undefined || realSizeBytes < 0) {
    throw new TarError("read", path, "malformed GNU sparse header", offset);
  }
  const extents = checkedExtents(map, realSizeBytes, storedBytes, path, offset);
  return { storedBytes, sparse: { realSizeBytes, extents } };
}

/** The stored content of a member with GNU.sparse records; `storedBytes` still holds a 1.0 map. */
export async function readPaxSparse(
  source: SourceReader,
  said: PaxSparse,
  path: ByteString,
  storedBytes: number,
  offset: number,
): Promise<StoredContent> {
  const { major = 0, minor = 0, realSizeBytes } = said;
  if (major > 1 || (major === 1 && minor !== 0)) {
    throw new TarError("read", path, `unknown sparse format ${major}.${minor}`, offset);
  }
  if (realSizeBytes === undefined) {
    throw new TarError("read", path, "sparse file without its size", offset);
  }
  const inFront = major === 1 ? await readMap(source, path, storedBytes, offset) : undefined;
  const left = storedBytes - (inFront?.mapBytes ?? 0);
  const extents = checkedExtents(inFront?.map ?? said.map, realSizeBytes, left, path, offset);
  return { storedBytes: left, sparse: { realSizeBytes, extents } };
}

async function readMap(
  source: SourceReader,
  path: ByteString,
  storedBytes: number,
  offset: number,
): Promise<{ readonly map: readonly number[]; readonly mapBytes: number }> {
  const reader = new SparseMapReader();
  for (let mapBytes = BLOCK_BYTES; mapBytes <= storedBytes; mapBytes += BLOCK_BYTES) {
    const whole = reader.push(await takeBlock(source, path));
    if (whole === undefined) break;
    if (whole) return { map: reader.map, mapBytes };
  }
  throw new TarError("read", path, "malformed sparse map", offset);
}

async function takeBlock(source: SourceReader, path: ByteString): Promise<Buffer> {
  const block = source.tryTake(BLOCK_BYTES) ?? (await source.take(BLOCK_BYTES));
  if (block === undefined) throw source.truncated(path, BLOCK_BYTES);
  return block;
}
