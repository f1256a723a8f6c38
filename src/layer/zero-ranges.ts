// Ranges of a partial file that became zeros without being written, and the mark that keeps them
// beside the limit: 8 bytes of limit, then 16 for each range, all little endian.

import { Buffer } from "node:buffer";
import { errno, FsError } from "../errors.js";

/** What fits beside other attributes in the one block that ext4 has for them. */
const MAX_RANGES = 96;
const NUMBER_BYTES = 8;
const RANGE_BYTES = 16;

/** One range, in bytes; `end` is behind it. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** With one more range, those that meet become one; undefined when they are too many. */
export function withRange(
  ranges: readonly ByteRange[],
  added: ByteRange,
): readonly ByteRange[] | undefined {
  let { start, end } = added;
  const apart: ByteRange[] = [];
  for (const range of ranges) {
    if (range.end < start || range.start > end) apart.push(range);
    else {
      start = Math.min(start, range.start);
      end = Math.max(end, range.end);
    }
  }
  return apart.length < MAX_RANGES ? [...apart, { start, end }] : undefined;
}

/** What the mark `blocks` says. */
export interface BlocksMark {
  /** Data of the lower file at or above it don't count. */
  readonly limitBytes: number;
  readonly zeros: readonly ByteRange[];
}

export function formatBlocksMark({ limitBytes, zeros }: BlocksMark): Buffer {
  const value = Buffer.alloc(NUMBER_BYTES + zeros.length * RANGE_BYTES);
  value.writeBigUInt64LE(BigInt(limitBytes));
  zeros.forEach(({ start, end }, index) => {
    value.writeBigUInt64LE(BigInt(start), NUMBER_BYTES + index * RANGE_BYTES);
    value.writeBigUInt64LE(BigInt(end), 2 * NUMBER_BYTES + index * RANGE_BYTES);
  });
  return value;
}

/** Throws FsError EIO for a mark that is none. */
export function parseBlocksMark(value: Buffer): BlocksMark {
  if (value.length % RANGE_BYTES !== NUMBER_BYTES) throw new FsError(errno.EIO, "read block map");
  const zeros: ByteRange[] = [];
  for (let at = NUMBER_BYTES; at < value.length; at += RANGE_BYTES) {
    const start = Number(value.readBigUInt64LE(at));
    zeros.push({ start, end: Number(value.readBigUInt64LE(at + NUMBER_BYTES)) });
  }
  return { limitBytes: Number(value.readBigUInt64LE()), zeros };
}
