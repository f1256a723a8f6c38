// Removal of a whole directory by descriptors: with two of them open, whatever the depth, and
// without following a symlink. It is for trees that nobody else changes meanwhile.

import { errno, isFsError } from "../errors.js";
import { type ByteString, bytesOf, type Name } from "../path.js";
import {
  chmodAt,
  Descriptor,
  DT_DIR,
  DT_UNKNOWN,
  isDirectory,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  openAt,
  readDirents,
  renameAt,
  rmdirAt,
  statAt,
  tryStatAt,
  unlinkAt,
} from "../sys/index.js";

const DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/** Removes what `name` is, a directory with everything in it. Throws FsError (ENOENT too). */
export function removeTree(dirFd: number, name: ByteString): void {
  try {
    unlinkAt(dirFd, name);
    return;
  } catch (error) {
    // POSIX has EPERM for unlink of a directory, Linux has EISDIR.
    if (!isFsError(error, errno.EISDIR, errno.EPERM)) throw error;
    if (!isDirectory(statAt(dirFd, name).mode)) throw error;
  }
  if (removeIfEmpty(dirFd, name)) return;
  using top = openWritable(dirFd, name);
  // A directory further down is moved up here before it is emptied, so depth costs nothing.
  let moved = 0;
  let directories = unlinkFiles(top.fd);
  while (directories.length > 0) {
    for (const directory of directories) {
      if (removeIfEmpty(top.fd, directory)) continue;
      using inner = openWritable(top.fd, directory);
      for (const child of unlinkFiles(inner.fd)) {
        if (!removeIfEmpty(inner.fd, child)) moved = moveUp(inner.fd, child, top.fd, moved);
      }
      rmdirAt(top.fd, directory);
    }
    directories = unlinkFiles(top.fd);
  }
  rmdirAt(dirFd, name);
}

/** Unlinks everything but directories; returns their names. */
function unlinkFiles(fd: number): Name[] {
  using fresh = new Descriptor(openAt(fd, bytesOf("."), DIRECTORY));
  return readDirents(fresh.fd)
    .filter(({ name, type }) => {
      if (type === DT_DIR || (type === DT_UNKNOWN && isDirectory(statAt(fd, name).mode)))
        return true;
      unlinkAt(fd, name);
      return false;
    })
    .map(({ name }) => name);
}

function removeIfEmpty(dirFd: number, name: ByteString): boolean {
  try {
    rmdirAt(dirFd, name);
    return true;
  } catch (error) {
    if (isFsError(error, errno.ENOTEMPTY, errno.EEXIST)) return false;
    throw error;
  }
}

/** A directory opened for emptying: without root's rights its own mode may forbid that. */
function openWritable(dirFd: number, name: ByteString): Descriptor {
  const owner = 0o700;
  if ((statAt(dirFd, name).mode & owner) !== owner) chmodAt(dirFd, name, owner);
  return new Descriptor(openAt(dirFd, name, DIRECTORY));
}

/** Moves a directory to an unused name of `topFd`; returns the counter to go on with. */
function moveUp(dirFd: number, name: Name, topFd: number, counter: number): number {
  for (;;) {
    counter += 1;
    const free = bytesOf(`.removed-${counter}`);
    if (tryStatAt(topFd, free) !== undefined) continue;
    // Moving a directory changes its "..": that takes the right to write in it.
    chmodAt(dirFd, name, 0o700);
    renameAt(dirFd, name, topFd, free);
    return counter;
  }
}
