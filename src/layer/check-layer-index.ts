// Is a layer's index what its tree would give? Everything is read again and compared.

import { readFileSync } from "node:fs";
import { hasCode } from "../node-errors.js";
import { bytesOf } from "../path.js";
import { AT_FDCWD, statAt } from "../sys/index.js";
import { LayerIndex, viewerMark } from "./layer-index.js";
import {
  BLOCK,
  BLOCK_UNIT_BYTES,
  checksumOf,
  HEADER,
  RECORD,
  VERSION,
} from "./layer-index-format.js";
import { layerIndexImage } from "./write-layer-index.js";

/**
 * What the file `path` is to the tree `tree`: "foreign" is one of another version, or for somebody with other rights;
 * "stale" is one of another tree, or of this one before something was done to its root. Nobody uses either. Paths
 * are text. Throws FsError.
 */
export type IndexState = "absent" | "foreign" | "stale" | "sound" | "damaged";

export async function checkLayerIndex(tree: string, path: string): Promise<IndexState> {
  const found = readIndex(path);
  if (found === undefined) return "absent";
  const header = found.subarray(0, HEADER.WORDS);
  if (header.length < HEADER.WORDS || !isSound(header)) return "damaged";
  if (header[HEADER.version] !== VERSION || header[HEADER.viewer] !== viewerMark()) {
    return "foreign";
  }
  if ((header[HEADER.fileUnits] ?? 0) * BLOCK_UNIT_BYTES !== found.byteLength) return "damaged";
  const known = withoutAccessTimes(found);
  if (known === undefined) return "damaged";
  using index = LayerIndex.open(path, statAt(AT_FDCWD, bytesOf(tree)));
  if (index === undefined) return "stale";
  const actual = await layerIndexImage(tree);
  if (actual === undefined) return "foreign";
  return withoutAccessTimes(actual)?.equals(known) === true ? "sound" : "damaged";
}

/** The sum that the words begin with is theirs. */
function isSound(words: Uint32Array): boolean {
  return words[0] === checksumOf(words, 1);
}

/** Without what anybody's reading changes, and the sums over that; undefined if a sum is wrong. */
function withoutAccessTimes(image: Uint32Array): Buffer | undefined {
  const words = image.slice();
  for (let at: number = HEADER.WORDS; at < words.length; ) {
    const length = (words[at + BLOCK.bytes] ?? 0) / 4;
    const block = words.subarray(at, at + length);
    if (length < BLOCK.WORDS || !isSound(block)) return undefined;
    block[BLOCK.checksum] = 0;
    const { [BLOCK.count]: count = 0 } = block;
    for (let entry = 0; entry < count; entry++) {
      const record = block.subarray(BLOCK.WORDS + entry * RECORD.WORDS);
      record.fill(0, RECORD.atime, RECORD.atime + 2);
      record[RECORD.atimeNsec] = 0;
    }
    at += length;
  }
  return Buffer.from(words.buffer);
}

/** The file as words; undefined where there is none. */
function readIndex(path: string): Uint32Array | undefined {
  try {
    const bytes = readFileSync(path);
    const whole = bytes.subarray(0, bytes.length & ~3);
    return new Uint32Array(new Uint8Array(whole).buffer);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
