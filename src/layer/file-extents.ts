// Copying an open layer file by its extents, through memory: for files without a descriptor, and
// for layers in memory. Where both ends have descriptors sys.copyData is faster and shares blocks.

import { Buffer } from "node:buffer";
import { errno, isFsError } from "../errors.js";
import { SEEK_DATA, SEEK_HOLE } from "../sys/index.js";
import type { LayerFile } from "./layer.js";

const PIECE_BYTES = 1024 * 1024;

/**
 * Calls `write` for all data of the first `sizeBytes`, in order and leaving holes out; the bytes
 * are valid during the call only. Throws FsError of the file's.
 */
export function copyExtents(
  from: LayerFile,
  sizeBytes: number,
  write: (bytes: Buffer, position: number) => void,
): void {
  const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, sizeBytes));
  let at = seekOrEnd(from, 0, SEEK_DATA, sizeBytes);
  while (at < sizeBytes) {
    const end = Math.min(seekOrEnd(from, at, SEEK_HOLE, sizeBytes), sizeBytes);
    while (at < end) {
      const length = from.read(piece, 0, Math.min(piece.length, end - at), at);
      // The file is shorter than its caller thought: the rest is a hole.
      if (length === 0) return;
      write(piece.subarray(0, length), at);
      at += length;
    }
    at = seekOrEnd(from, end, SEEK_DATA, sizeBytes);
  }
}

/** lseek(2) where `sizeBytes` is the answer when there is nothing more. */
export function seekOrEnd(
  file: LayerFile,
  position: number,
  whence: number,
  sizeBytes: number,
): number {
  if (position >= sizeBytes) return sizeBytes;
  try {
    return file.seek(position, whence);
  } catch (error) {
    if (isFsError(error, errno.ENXIO)) return sizeBytes;
    // A file system that knows no holes: all is data.
    if (isFsError(error, errno.EINVAL)) return whence === SEEK_DATA ? position : sizeBytes;
    throw error;
  }
}
