// Opening a directory as an upper. What it does then is directory-upper.ts.

import { bytesOf } from "../path.js";
import { AT_FDCWD, close, O_DIRECTORY, O_PATH, openAt, statFd } from "../sys/index.js";
import { DirectoryUpper } from "./directory-upper.js";
import type { UpperLayer } from "./layer.js";
import { defaultXattrPrefix } from "./own-prefix.js";
import type { DirectoryUpperOptions } from "./upper-options.js";
import { WorkDirectory } from "./work-directory.js";

/**
 * Opens a directory as an upper; `workPath` must lie on the same file system (EXDEV) and be used
 * by no other mount (EBUSY). What an earlier run left in it is removed. Throws FsError.
 */
export function openDirectoryUpper(
  upperPath: string,
  workPath: string,
  options: DirectoryUpperOptions = {},
): UpperLayer {
  const rootFd = openAt(AT_FDCWD, bytesOf(upperPath), O_PATH | O_DIRECTORY);
  try {
    const use = options.observe === true ? "observe" : "own";
    const { dev } = statFd(rootFd);
    const { form, lockWaitMs, xattrPrefix = defaultXattrPrefix() } = options;
    const work = new WorkDirectory(workPath, dev, { use, lockWaitMs, form, xattrPrefix });
    return new DirectoryUpper(upperPath, rootFd, work, options);
  } catch (error) {
    close(rootFd);
    throw error;
  }
}
