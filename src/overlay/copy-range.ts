// copy_file_range(2) between two open files of the merged tree: by the kernel where both have
// descriptors, through a buffer elsewhere.

import { errno, FsError, isFsError } from "../errors.js";
import { copyFileRange, O_APPEND } from "../sys/index.js";
import type { Handle } from "./handle.js";

const BUFFER_BYTES = 1 << 17;

/**
 * Bytes copied, which may be fewer: a request must stay short. Offsets and lengths are in bytes.
 * Throws FsError EBADF for a target opened with O_APPEND, EINVAL for ranges of one file that overlap.
 */
export function copyRange(
  from: Handle,
  fromOffset: number,
  to: Handle,
  toOffset: number,
  lengthBytes: number,
): number {
  if ((to.flags & O_APPEND) !== 0) throw new FsError(errno.EBADF, "copy_file_range");
  const apart = fromOffset + lengthBytes <= toOffset || toOffset + lengthBytes <= fromOffset;
  if (from.node === to.node && !apart) throw new FsError(errno.EINVAL, "copy_file_range");
  const source = from.fd;
  const target = to.fd;
  if (source !== undefined && target !== undefined) {
    try {
      return copyFileRange(source, fromOffset, target, toOffset, lengthBytes);
    } catch (error) {
      // A lower on another file system: the merged tree is one, so this is no EXDEV.
      if (!isFsError(error, errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS)) throw error;
    }
  }
  const buffer = Buffer.alloc(Math.min(lengthBytes, BUFFER_BYTES));
  const length = from.read(buffer, 0, buffer.length, fromOffset);
  return length === 0 ? 0 : to.write(buffer, 0, length, toOffset);
}
