// Extended headers of POSIX.1-2001 ("pax Interchange Format"): records of "length key=value\n".
// Values are bytes here; which keys mean what is in pax-attributes.ts.

import { Buffer } from "node:buffer";
import type { ByteString } from "../path.js";
import { TarError } from "./errors.js";

/** Most bytes of extended headers before one entry: read or written. */
export const EXTENDED_LIMIT_BYTES = 1024 * 1024;

/** Longest path or link target in an archive, in bytes. */
export const PATH_LIMIT_BYTES = 64 * 1024;

export interface PaxRecord {
  /** Never empty, never with "=" or NUL. */
  readonly key: ByteString;
  readonly value: Buffer;
}

/**
 * Splits the content of an extended header; `offset` is its position, for errors. Values are views.
 * Throws TarError for a record whose length, "=" or newline is not where it must be.
 */
export function parsePaxRecords(content: Buffer, offset: number): PaxRecord[] {
  const records: PaxRecord[] = [];
  let start = 0;
  while (start < content.length) {
    let at = start;
    let length = 0;
    for (; at < start + 8 && at < content.length; at += 1) {
      const digit = (content[at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    const end = start + length;
    const equals = content[at] === 0x20 ? content.indexOf(0x3d, at) : -1;
    const sound =
      at > start &&
      end <= content.length &&
      equals > at + 1 &&
      equals < end &&
      content[end - 1] === 0x0a;
    if (!sound) throw new TarError("read", "archive", "malformed pax record", offset + start);
    const key = content.toString("latin1", at + 1, equals) as ByteString;
    if (key.includes("\0")) {
      throw new TarError("read", "archive", "NUL in the key of a pax record", offset + start);
    }
    records.push({ key, value: content.subarray(equals + 1, end - 1) });
    start = end;
  }
  return records;
}

/** The content of an extended header with these records, in this order. */
export function formatPaxRecords(records: readonly PaxRecord[]): Buffer {
  const parts: Buffer[] = [];
  for (const { key, value } of records) {
    // Blank, "=", newline and the digits of the length itself, which may add one to themselves.
    const rest = key.length + value.length + 3;
    let length = rest + String(rest).length;
    length = rest + String(length).length;
    parts.push(Buffer.from(`${length} ${key}=`, "latin1"), value, NEWLINE);
  }
  return Buffer.concat(parts);
}

const NEWLINE = Buffer.from("\n");
