// Whether bytes are an archive: by what they begin with, as docker decides it for ADD and for
// contexts that come as a stream.

import { EngineError } from "../../errors.js";
import { DETECT_BYTES, decompress, detect } from "../../tar/compression.js";

/** A tar's first header, with its mark at byte 257. */
const HEADER_BYTES = 512;
const CHECKSUM_AT = 148;
const CHECKSUM_BYTES = 8;

/** A stream of which the beginning was looked at. */
export interface PeekedStream {
  readonly isArchive: boolean;
  /** All of it, from the first byte. */
  readonly source: AsyncIterable<Uint8Array>;
}

/** True for a tar, packed in any known way or not. */
export async function beginsAsArchive(source: AsyncIterable<Uint8Array>): Promise<PeekedStream> {
  const { first, rest } = await peek(source, HEADER_BYTES);
  const whole = joined(first, rest);
  if (detect(first.subarray(0, DETECT_BYTES)) === "none") {
    return { isArchive: isHeader(first), source: whole };
  }
  // A compressed stream is taken for an archive: docker asks no more of a context.
  return { isArchive: true, source: whole };
}

/** True when the file's bytes, uncompressed, begin with a tar header; `read` opens it anew. */
export async function isArchiveFile(read: () => AsyncIterable<Uint8Array>): Promise<boolean> {
  try {
    const { first } = await peek(decompress(read()), HEADER_BYTES);
    return isHeader(first);
  } catch (error) {
    // What cannot be unpacked is an ordinary file.
    if (error instanceof EngineError) return false;
    throw error;
  }
}

/** The checksum of a header is the sum of its bytes, with blanks in its own place (tar(5)). */
function isHeader(block: Uint8Array): boolean {
  if (block.length < HEADER_BYTES) return false;
  const field = Buffer.from(block.subarray(CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_BYTES));
  const told = Number.parseInt(
    field
      .toString("latin1")
      .replace(/[\0 ]+/g, " ")
      .trim(),
    8,
  );
  let sum = 0;
  for (let n = 0; n < HEADER_BYTES; n++) {
    const isOwn = n >= CHECKSUM_AT && n < CHECKSUM_AT + CHECKSUM_BYTES;
    sum += isOwn ? 0x20 : (block[n] ?? 0);
  }
  return told === sum;
}

async function peek(
  source: AsyncIterable<Uint8Array>,
  length: number,
): Promise<{ first: Buffer; rest: AsyncIterator<Uint8Array> }> {
  const rest = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  while (sizeBytes < length) {
    const next = await rest.next();
    if (next.done === true) break;
    chunks.push(next.value);
    sizeBytes += next.value.length;
  }
  return { first: Buffer.concat(chunks), rest };
}

async function* joined(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
