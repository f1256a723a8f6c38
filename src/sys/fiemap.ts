// Which parts of a file have data on the disk (FS_IOC_FIEMAP). SEEK_DATA tells less: it takes
// preallocated space for a hole or for data as the page cache has it.
// Source: Documentation/filesystems/fiemap.rst, linux/fiemap.h.

import { ioctlWithMemory } from "./ioctl.js";
import { checked, makeScratch } from "./libc.js";

/** _IOWR('f', 11, struct fiemap). */
const FS_IOC_FIEMAP = 0xc020660b;
const FIEMAP_FLAG_SYNC = 1;
const FIEMAP_EXTENT_LAST = 0x1;
const FIEMAP_EXTENT_UNWRITTEN = 0x800;

const SIZEOF_FIEMAP = 32;
const SIZEOF_EXTENT = 56;
const EXTENTS_AT_ONCE = 256;

const map = makeScratch(SIZEOF_FIEMAP + EXTENTS_AT_ONCE * SIZEOF_EXTENT);

/**
 * Brings the file's data to the disk, then calls `visit` for each extent that holds data below
 * `endBytes`, in order: no holes, and no space that is only allocated. An extent may begin before
 * and end after what was asked for. Throws FsError (EOPNOTSUPP where the file system can't tell).
 */
export function forEachWrittenExtent(
  fd: number,
  endBytes: number,
  visit: (start: number, end: number) => void,
): void {
  const { view, buffer, address } = map;
  for (let from = 0, flags = FIEMAP_FLAG_SYNC; from < endBytes; flags = 0) {
    buffer.fill(0, 0, SIZEOF_FIEMAP);
    view.setBigUint64(0, BigInt(from), true);
    view.setBigUint64(8, BigInt(endBytes - from), true);
    view.setUint32(16, flags, true);
    view.setUint32(24, EXTENTS_AT_ONCE, true);
    checked(ioctlWithMemory(fd, FS_IOC_FIEMAP, address), "fiemap");
    const count = view.getUint32(20, true);
    if (count === 0) return;
    for (let index = 0; index < count; index++) {
      const at = SIZEOF_FIEMAP + index * SIZEOF_EXTENT;
      const start = Number(view.getBigUint64(at, true));
      const end = start + Number(view.getBigUint64(at + 16, true));
      const extentFlags = view.getUint32(at + 40, true);
      if ((extentFlags & FIEMAP_EXTENT_UNWRITTEN) === 0) visit(start, end);
      if (extentFlags & FIEMAP_EXTENT_LAST) return;
      from = end;
    }
  }
}
