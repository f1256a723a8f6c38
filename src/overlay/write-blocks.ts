// Writing whole blocks of a partial file. What is not written in the end must not look as if it was.

import type { LayerFile, OwnBlocks } from "../layer/layer.js";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from "../sys/index.js";

const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

/**
 * Bytes written, fewer on a full disk. The range begins and ends with a block, where those are not
 * own already; blocks that were written whole are own then. Throws FsError.
 */
export function writeBlocks(
  own: LayerFile,
  blocks: OwnBlocks,
  from: Uint8Array,
  start: number,
  lengthBytes: number,
  position: number,
): number {
  const end = position + lengthBytes;
  let count = 0;
  try {
    count = own.write(from, start, lengthBytes, position);
    return count;
  } finally {
    if (count === lengthBytes) blocks.wrote(position, end);
    else takeBack(own, blocks, position, position + count, end);
  }
}

/**
 * A write that failed may leave allocated blocks of zeros: nothing is wrong with that in a hole, but
 * here they would hide the lower file's at the next mount (fs/buffer.c, folio_zero_new_buffers).
 */
function takeBack(
  own: LayerFile,
  blocks: OwnBlocks,
  start: number,
  written: number,
  end: number,
): void {
  const { blockBytes } = blocks;
  const whole = Math.floor(written / blockBytes) * blockBytes;
  if (whole > start) blocks.wrote(start, whole);
  for (let at = Math.max(start, whole); at < end; ) {
    const stop = blocks.runEnd(at, end);
    if (!blocks.owns(at)) {
      const length = Math.ceil((stop - at) / blockBytes) * blockBytes;
      own.allocate(PUNCH, Math.floor(at / blockBytes) * blockBytes, length);
    }
    at = stop;
  }
}
