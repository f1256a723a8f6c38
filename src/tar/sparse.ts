// Sparse files as archives hold them: old GNU headers, and GNU.sparse of pax (0.0, 0.1, 1.0).
// All become one list of extents, checked against the sizes; denseContent puts the holes back.

import { Buffer } from "node:buffer";
import type { ByteString } from "../path.js";
import type { SparseExtent, TarEntry } from "./entry.js";
import { TarError } from "./errors.js";
import { BLOCK_BYTES } from "./header.js";
import { parseDecimal, parseField } from "./numbers.js";

/** Most extents of one file: a map is held in memory, so a hostile count must not decide its size. */
export const EXTENT_LIMIT = 262_144;

/**
 * Extents out of offset, length, offset, length … Empty ones (GNU marks the end of the file with
 * one) are left out. Throws TarError unless they ascend without overlap inside `sizeBytes` and add
 * up to `storedBytes`.
 */
export function checkedExtents(
  map: readonly number[],
  sizeBytes: number,
  storedBytes: number,
  path: ByteString,
  offset: number,
): SparseExtent[] {
  const extents: SparseExtent[] = [];
  let end = 0;
  let total = 0;
  for (let at = 0; at < map.length; at += 2) {
    const start = map[at] ?? 0;
    const lengthBytes = map[at + 1];
    if (lengthBytes === undefined || start < end || start + lengthBytes > sizeBytes) {
      throw new TarError("read", path, "sparse map out of order or out of the file", offset);
    }
    end = start + lengthBytes;
    total += lengthBytes;
    if (lengthBytes > 0) extents.push({ offset: start, lengthBytes });
  }
  if (total !== storedBytes) {
    throw new TarError("read", path, "sparse map does not match the stored size", offset);
  }
  return extents;
}

/** The real size in an old GNU sparse header (type "S"); undefined when malformed. */
export function gnuSparseRealSize(block: Buffer): number | undefined {
  return parseField(block, 483, 495);
}

/**
 * Adds the pairs of an old GNU sparse header (four from byte 386) or of a continuation block (21
 * from byte 0) to `map`. True when another continuation block follows; undefined when malformed.
 */
export function addGnuSparsePairs(
  block: Buffer,
  part: "header" | "continuation",
  map: number[],
): boolean | undefined {
  const start = part === "header" ? 386 : 0;
  const flagAt = part === "header" ? 482 : 504;
  for (let at = start; at + 24 <= flagAt; at += 24) {
    if (block[at] === 0) break;
    const offset = parseField(block, at, at + 12);
    const lengthBytes = parseField(block, at + 12, at + 24);
    if (offset === undefined || offset < 0) return undefined;
    if (lengthBytes === undefined || lengthBytes < 0) return undefined;
    map.push(offset, lengthBytes);
  }
  if (map.length > 2 * EXTENT_LIMIT) return undefined;
  return block[flagAt] !== 0;
}

/**
 * Reads the map in front of the content of a pax 1.0 sparse file: the count of pairs, then the
 * numbers, one a line, padded to a block. Blocks are pushed as they come.
 */
export class SparseMapReader {
  #line = "";
  #expected: number | undefined;
  readonly map: number[] = [];

  /** True when the map is whole with this block; undefined when malformed. */
  push(block: Buffer): boolean | undefined {
    for (const byte of block) {
      if (byte !== 0x0a) {
        if (this.#line.length > 16) return undefined;
        this.#line += String.fromCharCode(byte);
        continue;
      }
      const value = parseDecimal(this.#line);
      if (value === undefined) return undefined;
      this.#line = "";
      if (this.#expected !== undefined) this.map.push(value);
      else if (value > EXTENT_LIMIT) return undefined;
      else this.#expected = 2 * value;
      if (this.map.length === this.#expected) return true;
    }
    return false;
  }
}

const ZEROS = Buffer.alloc(128 * BLOCK_BYTES);

/** The whole content of a file: `content` of the same member with zeros where its holes are. */
export async function* denseContent(
  entry: TarEntry,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (entry.sparse === undefined) {
    yield* content;
    return;
  }
  const extents = entry.sparse.values();
  let extent = extents.next().value;
  let at = 0;
  for await (const chunk of content) {
    let rest = chunk;
    while (rest.length > 0 && extent !== undefined) {
      yield* zeros(extent.offset - at);
      at = Math.max(at, extent.offset);
      const part = rest.subarray(0, extent.offset + extent.lengthBytes - at);
      yield part;
      at += part.length;
      rest = rest.subarray(part.length);
      if (at === extent.offset + extent.lengthBytes) extent = extents.next().value;
    }
  }
  yield* zeros(entry.sizeBytes - at);
}

function* zeros(lengthBytes: number): Generator<Uint8Array, void, undefined> {
  for (let left = lengthBytes; left > 0; left -= ZEROS.length) {
    yield left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS;
  }
}
