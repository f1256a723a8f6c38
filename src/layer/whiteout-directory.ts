// Emptying an upper directory that shows empty but holds whiteouts, so that it can be removed or
// replaced. At no moment does a lower name show through it.

import { errno, FsError } from "../errors.js";
import { bytesOf, type Name, textOf } from "../path.js";
import {
  close,
  type Dirent,
  isRegular,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  openAt,
  readDirents,
  statAt,
  unlinkAt,
} from "../sys/index.js";
import { isXattrWhiteout } from "./directory-marks.js";
import { isReservedName, isWhiteoutStat } from "./whiteout.js";

/**
 * Removes the whiteouts of a directory, after `hide` has seen to it that no lower name shows
 * through it. `whiteoutIno` is an inode known to be a whiteout. Throws FsError ENOTEMPTY, with nothing
 * changed, when the directory holds anything else.
 */
export function clearWhiteouts(
  dirFd: number,
  name: Name,
  whiteoutIno: bigint,
  hide: () => void,
): void {
  const fd = openAt(dirFd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  try {
    const entries = list(fd);
    if (entries.length === 0) return;
    for (const entry of entries) {
      if (entry.ino === whiteoutIno) continue;
      if (!hides(fd, entry.name)) throw new FsError(errno.ENOTEMPTY, "remove", textOf(name));
    }
    hide();
    for (const entry of entries) unlinkAt(fd, entry.name);
  } finally {
    close(fd);
  }
}

function list(fd: number): Dirent[] {
  const fresh = openAt(fd, bytesOf("."), O_RDONLY | O_DIRECTORY);
  try {
    return readDirents(fresh);
  } finally {
    close(fresh);
  }
}

/** A whiteout of any dialect. */
function hides(fd: number, name: Name): boolean {
  const stat = statAt(fd, name);
  if (isWhiteoutStat(stat)) return true;
  if (!isRegular(stat.mode) || stat.sizeBytes > 0) return false;
  return isReservedName(name) || isXattrWhiteout(fd, name);
}
