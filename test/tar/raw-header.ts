// Headers written by hand, for archives that no sound program writes.

import { Buffer } from "node:buffer";

/** Fields of a header as they stand in it; what is not given is that of a plain file "f". */
export interface RawHeader {
  readonly name?: string;
  readonly mode?: string;
  readonly uid?: string;
  readonly gid?: string;
  readonly size?: string;
  readonly mtime?: string;
  readonly typeflag?: string;
  readonly linkName?: string;
  readonly magic?: string;
  readonly prefix?: string;
}

/** Puts the right checksum into a block. */
export function withChecksum(block: Buffer): Buffer {
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** A header block with its right checksum. */
export function rawHeader(fields: RawHeader = {}): Buffer {
  const block = Buffer.alloc(512);
  const put = (text: string, at: number): void => {
    block.write(text, at, "latin1");
  };
  put(fields.name ?? "f", 0);
  put(fields.mode ?? "0000644\0", 100);
  put(fields.uid ?? "0000000\0", 108);
  put(fields.gid ?? "0000000\0", 116);
  put(fields.size ?? "00000000000\0", 124);
  put(fields.mtime ?? "00000000000\0", 136);
  put(fields.typeflag ?? "0", 156);
  put(fields.linkName ?? "", 157);
  put(fields.magic ?? "ustar\x0000", 257);
  put(fields.prefix ?? "", 345);
  return withChecksum(block);
}

/** Eleven octal digits and a NUL. */
export function octal(value: number): string {
  return `${value.toString(8).padStart(11, "0")}\0`;
}

/** Bytes filled up to whole blocks. */
export function padded(content: string | Uint8Array): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** One pax record with its right length. */
export function paxRecord(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  for (let length = rest; ; length += 1) {
    if (rest + String(length).length === length) return `${length} ${key}=${value}\n`;
  }
}

/** An extended header with this content, and the header it belongs to. */
export function extendedHeader(content: string, typeflag = "x"): Buffer {
  return Buffer.concat([
    rawHeader({ name: "PaxHeaders.0/f", typeflag, size: octal(content.length) }),
    padded(content),
  ]);
}

/** A file "f" behind an extended header with these records (none: no header). */
export function paxMember(
  records: readonly (readonly [string, string])[],
  content: string,
): Buffer {
  const text = records.map(([key, value]) => paxRecord(key, value)).join("");
  return Buffer.concat([
    text === "" ? Buffer.alloc(0) : extendedHeader(text),
    rawHeader({ size: octal(content.length) }),
    padded(content),
  ]);
}
