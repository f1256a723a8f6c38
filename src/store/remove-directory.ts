// Removal of whole trees of the store: names that are not UTF-8, modes that forbid their owner, and
// paths beyond PATH_MAX occur in layers, which node:fs cannot remove.

import { basename, dirname } from "node:path";
import { errno, isFsError } from "../errors.js";
import { removeTree } from "../layer/remove-tree.js";
import { bytesOf } from "../path.js";
import {
  AT_FDCWD,
  Descriptor,
  mayEnterIdNamespace,
  O_DIRECTORY,
  O_RDONLY,
  openAt,
  runInIdNamespace,
} from "../sys/index.js";

/** Removes the directory and all in it; nothing happens when it is not there. Throws FsError. */
export async function removeDirectory(path: string): Promise<void> {
  try {
    using parent = new Descriptor(openAt(AT_FDCWD, bytesOf(dirname(path)), O_RDONLY | O_DIRECTORY));
    removeTree(parent.fd, bytesOf(basename(path)));
  } catch (error) {
    if (isFsError(error, errno.ENOENT)) return;
    // In volumes of an ordinary user's containers there are files of other ids.
    const isRefused = isFsError(error, errno.EACCES, errno.EPERM) && mayEnterIdNamespace();
    if (!isRefused || !runInIdNamespace(["rm", "-rf", "--", path])) throw error;
  }
}
