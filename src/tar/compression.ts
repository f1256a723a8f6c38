// The compressions around archives: told by their first bytes, undone and done as streams of flat
// memory. Their engines are node-zlib.ts, ../sys/zstd.ts (libzstd) and filter-process.ts (xz,
// bzip2: seldom met, so the host's own programs do).

import { Buffer } from "node:buffer";
import { createGunzip, createGzip } from "node:zlib";
import type { ZstdStream } from "../sys/zstd.js";
import { hasLibzstd, makeZstdDecoder, makeZstdEncoder } from "../sys/zstd.js";
import { throughProcess } from "./filter-process.js";
import { throughTransform } from "./node-zlib.js";

export type Compression = "none" | "gzip" | "zstd" | "xz" | "bzip2";

/** How many first bytes detect() wants to see. */
export const DETECT_BYTES = 10;

/** gzip's own default; zstd's is 3. */
const GZIP_LEVEL = 6;
const ZSTD_LEVEL = 3;
/** Each chunk is a journey to another thread and back: 16 KiB, zlib's own, make too many of them. */
const CHUNK_BYTES = 128 * 1024;

/**
 * The compression these first bytes belong to. A tar archive begins with a file name, so short
 * magics that could be one ("BZh") are checked with what must follow them.
 */
export function detect(firstBytes: Uint8Array): Compression {
  const text = Buffer.from(firstBytes.subarray(0, DETECT_BYTES)).toString("latin1");
  if (text.startsWith("\x1f\x8b\x08")) return "gzip";
  if (text.startsWith("\x28\xb5\x2f\xfd")) return "zstd";
  // A skippable frame may come first (RFC 8878, 3.1.2).
  if (/^[\x50-\x5f]\x2a\x4d\x18/.test(text)) return "zstd";
  if (text.startsWith("\xfd7zXZ\0")) return "xz";
  if (/^BZh[1-9](1AY&SY|\x17rE8P\x90)/.test(text)) return "bzip2";
  return "none";
}

/**
 * The stream with its compression undone; `kind` is found out when it is not given. Throws
 * EngineError: DATA_LOSS for cut off or corrupt data, UNSUPPORTED for what this host cannot undo.
 * Errors of the source pass through.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  kind?: Compression,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (kind === undefined) {
    const peeked = await peek(source);
    yield* decompress(peeked.source, detect(peeked.first));
    return;
  }
  switch (kind) {
    case "none":
      yield* source;
      return;
    case "gzip":
      yield* throughTransform(
        source,
        createGunzip({ chunkSize: CHUNK_BYTES }),
        'Cannot decompress "gzip stream"',
      );
      return;
    case "zstd":
      yield* hasLibzstd()
        ? throughZstd(source, makeZstdDecoder())
        : throughProcess(source, "zstd", ["-dcq"], 'Cannot decompress "zstd stream"');
      return;
    case "xz":
      yield* throughProcess(source, "xz", ["-dc"], 'Cannot decompress "xz stream"');
      return;
    case "bzip2":
      yield* throughProcess(source, "bzip2", ["-dc"], 'Cannot decompress "bzip2 stream"');
      return;
  }
}

/**
 * The stream compressed. The same input, level and host give the same bytes: no names, no times,
 * one thread. Other versions of zlib or libzstd may give others, so a digest is taken over the
 * bytes, never expected of them.
 */
export async function* compress(
  source: AsyncIterable<Uint8Array>,
  kind: "gzip" | "zstd",
  level?: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (kind === "gzip") {
    const gzip = createGzip({ level: level ?? GZIP_LEVEL, chunkSize: CHUNK_BYTES });
    yield* throughTransform(source, gzip, 'Cannot compress "gzip stream"');
  } else if (hasLibzstd()) {
    yield* throughZstd(source, makeZstdEncoder(level ?? ZSTD_LEVEL));
  } else {
    const args = ["-cq", "--single-thread", `-${level ?? ZSTD_LEVEL}`];
    yield* throughProcess(source, "zstd", args, 'Cannot compress "zstd stream"');
  }
}

async function* throughZstd(
  source: AsyncIterable<Uint8Array>,
  stream: ZstdStream,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of source) yield* stream.push(chunk);
    yield* stream.finish();
  } finally {
    stream.close();
  }
}

/** Enough first bytes for detect(), and the same stream from its beginning. */
async function peek(source: AsyncIterable<Uint8Array>): Promise<{
  readonly first: Uint8Array;
  readonly source: AsyncIterable<Uint8Array>;
}> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < DETECT_BYTES) {
    const { done, value } = await iterator.next();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  return { first: Buffer.concat(chunks), source: replay(chunks, iterator) };
}

async function* replay(
  chunks: readonly Uint8Array[],
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* chunks;
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) return;
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}
