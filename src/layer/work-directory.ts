// The work directory of an upper: where things are prepared before one rename puts them in place,
// the one whiteout that all others are hard links of, the hard-link index, and the lock that keeps
// a second mount out. What an earlier run (ours or another tool's) left in it goes at opening.

import { errno, FsError, isFsError } from "../errors.js";
import { type ByteString, bytesOf, type Name } from "../path.js";
import {
  AT_FDCWD,
  chmodAt,
  close,
  flock,
  linkAt,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  openAt,
  readDirents,
  removexattrAt,
  S_IFCHR,
  statAt,
  unlinkAt,
} from "../sys/index.js";
import { removeTree } from "./remove-tree.js";

const HERE = bytesOf(".");
const LOCK = bytesOf("lock");
const WORK = bytesOf("work");
/** Not "index": kernel overlayfs refuses names there that it did not make. */
const INDEX = bytesOf("strata.index");
const WHITEOUT_NAME = bytesOf("whiteout");
const DEFAULT_ACL = bytesOf("system.posix_acl_default");
const DIRECTORY = O_PATH | O_DIRECTORY | O_NOFOLLOW;

/**
 * "own": locked, cleaned, ready to work in. "observe": another process may own it and be at work;
 * nothing is locked, cleaned or changed, and preparing anything is refused.
 */
export type WorkUse = "own" | "observe";

/** An open work directory. */
export class WorkDirectory {
  /** Where to prepare things. */
  readonly fd: number;
  readonly indexFd: number;
  /** Inode number of the shared whiteout. */
  whiteoutIno = 0n;
  readonly #lockFd: number | undefined;
  readonly use: WorkUse;
  /** RENAME_WHITEOUT leaves a whiteout of this upper, as far as is known. */
  renamesWhiteouts = true;
  #temporaries = 0;

  /**
   * Throws FsError: EBUSY when another mount owns it and goes on to for `waitMs`, EXDEV when it is
   * not on `device`.
   */
  constructor(path: string, device: number, use: WorkUse, waitMs = 0) {
    this.use = use;
    const fd = openAt(AT_FDCWD, bytesOf(path), O_PATH | O_DIRECTORY);
    const opened: number[] = [fd];
    try {
      if (statAt(fd, bytesOf("")).dev !== device) throw new FsError(errno.EXDEV, "work in", path);
      if (use === "own") {
        this.#lockFd = openAt(fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
        opened.push(this.#lockFd);
        if (!lockWithin(this.#lockFd, waitMs)) throw new FsError(errno.EBUSY, "work in", path);
      }
      this.fd = openPrivate(fd, WORK);
      opened.push(this.fd);
      this.indexFd = openPrivate(fd, INDEX);
      opened.push(this.indexFd);
      if (use === "own") {
        for (const { name } of listOf(this.fd)) removeTree(this.fd, name);
        this.#makeWhiteout();
      }
    } catch (error) {
      for (const one of opened.slice(1)) close(one);
      throw error;
    } finally {
      close(fd);
    }
  }

  #makeWhiteout(): void {
    // Linux 5.8 needs no privilege for device 0:0.
    mknodAt(this.fd, WHITEOUT_NAME, S_IFCHR, 0, 0);
    this.whiteoutIno = statAt(this.fd, WHITEOUT_NAME).ino;
  }

  /** A name in the work directory that nothing has. */
  temporary(): Name {
    this.#temporaries += 1;
    return `#${this.#temporaries}` as Name;
  }

  /** Throws FsError EROFS: who only observes an upper must not change it. */
  refuseObserver(): void {
    if (this.use === "observe") throw new FsError(errno.EROFS, "change an observed upper");
  }

  /** Puts a whiteout where nothing is. Throws FsError EEXIST. */
  linkWhiteout(dirFd: number, name: ByteString): void {
    try {
      linkAt(this.fd, WHITEOUT_NAME, dirFd, name);
    } catch (error) {
      // As many links as the file system takes: begin with another inode.
      if (isFsError(error, errno.EMLINK)) {
        unlinkAt(this.fd, WHITEOUT_NAME);
        this.#makeWhiteout();
        linkAt(this.fd, WHITEOUT_NAME, dirFd, name);
        return;
      }
      // A file system without hard links (link(2), EPERM).
      if (!isFsError(error, errno.EPERM)) throw error;
      mknodAt(dirFd, name, S_IFCHR, 0, 0);
    }
  }

  /**
   * Prepares something under a temporary name and has it put in place; where one of the two
   * fails, nothing of it stays. Throws what they throw.
   */
  prepare<T>(make: (name: Name) => T): T {
    this.refuseObserver();
    const name = this.temporary();
    try {
      return make(name);
    } catch (error) {
      this.#discard(name);
      throw error;
    }
  }

  /** The error that led here matters more; what can't be removed goes at the next opening. */
  #discard(name: Name): void {
    try {
      removeTree(this.fd, name);
    } catch (error) {
      if (!isFsError(error)) throw error;
    }
  }

  keys(): Name[] {
    return listOf(this.indexFd).map(({ name }) => name);
  }

  close(): void {
    close(this.indexFd);
    close(this.fd);
    if (this.#lockFd !== undefined) close(this.#lockFd);
  }
}

const LOCK_POLL_MS = 5;

/**
 * True once the lock is ours: a mount that was unmounted just now has let go of its upper a moment
 * after umount(2) has returned.
 */
export function lockWithin(fd: number, waitMs: number): boolean {
  for (let waited = 0; !flock(fd, "exclusive", { wait: false }); waited += LOCK_POLL_MS) {
    if (waited >= waitMs) return false;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
  return true;
}

/** Makes or opens a directory of ours; nothing made in it inherits a group or an ACL. */
function openPrivate(dirFd: number, name: ByteString): number {
  try {
    mkdirAt(dirFd, name, 0o700);
  } catch (error) {
    if (!isFsError(error, errno.EEXIST)) throw error;
  }
  chmodAt(dirFd, name, 0o700);
  try {
    removexattrAt(dirFd, name, DEFAULT_ACL);
  } catch (error) {
    if (!isFsError(error, errno.ENODATA, errno.EOPNOTSUPP)) throw error;
  }
  return openAt(dirFd, name, DIRECTORY);
}

function listOf(dirFd: number): { readonly name: Name }[] {
  const fd = openAt(dirFd, HERE, O_RDONLY | O_DIRECTORY);
  try {
    return readDirents(fd);
  } finally {
    close(fd);
  }
}
