// The work directory of an upper: where things are prepared before one rename puts them in place,
// the hard-link index, the form of the upper's marks, and the lock that keeps a second mount out. What an earlier run (ours or another tool's) left in it goes at opening.

import { Buffer } from "node:buffer";
import { errno, FsError, isFsError } from "../errors.js";
import { type ByteString, bytesOf, ITSELF, type Name } from "../path.js";
import {
  AT_FDCWD,
  chmodAt,
  close,
  DEFAULT_ACL,
  Descriptor,
  flock,
  mkdirAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  openAt,
  read,
  readDirents,
  removexattrAt,
  renameAt,
  statAt,
  tryStatAt,
  unlinkAt,
  writeFull,
} from "../sys/index.js";
import { formatMarkForm, type MarkForm, parseMarkForm, probeMarkForm } from "./mark-form.js";
import { removeTree } from "./remove-tree.js";
import type { XattrPrefix } from "./whiteout.js";

const HERE = bytesOf(".");
const LOCK = bytesOf("lock");
const WORK = bytesOf("work");
/** Not "index": kernel overlayfs refuses names there that it did not make. */
const INDEX = bytesOf("strata.index");
/** In `work`: what intention.ts writes. */
export const INTENTION = bytesOf("intention") as Name;
/** How the upper is written, where that is not the usual way. */
const FORM = bytesOf("strata.form") as Name;
const FORM_BYTES = 100;
const DIRECTORY = O_PATH | O_DIRECTORY | O_NOFOLLOW;

/**
 * "own": locked, cleaned, ready to work in. "observe": another process may own it and be at work;
 * nothing is locked, cleaned or changed, and preparing anything is refused.
 */
export type WorkUse = "own" | "observe";

/** How a work directory is opened. */
export interface WorkOptions {
  readonly use: WorkUse;
  /** How long another mount may go on to own it. */
  readonly lockWaitMs?: number | undefined;
  /** Where the marks are to be, if the file system keeps them there. */
  readonly xattrPrefix: XattrPrefix;
  /** What the upper is to be written with, unasked. */
  readonly form?: MarkForm | undefined;
}

const CREATE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

function usualForm(xattrPrefix: XattrPrefix): MarkForm {
  return { xattrPrefix, whiteouts: "device", swaps: true };
}

function readForm(fd: number, { xattrPrefix }: Pick<WorkOptions, "xattrPrefix">): MarkForm {
  if (tryStatAt(fd, FORM) === undefined) return usualForm(xattrPrefix);
  using file = new Descriptor(openAt(fd, FORM, O_RDONLY | O_NOFOLLOW));
  const bytes = Buffer.alloc(FORM_BYTES);
  return parseMarkForm(bytes.toString("latin1", 0, read(file.fd, bytes, 0, bytes.length)));
}

/** An open work directory. */
export class WorkDirectory {
  /** Where to prepare things. */
  readonly fd: number;
  readonly indexFd: number;
  readonly form: MarkForm;
  readonly #lockFd: number | undefined;
  readonly use: WorkUse;
  #temporaries = 0;

  /**
   * Throws FsError: EBUSY when another mount owns it and goes on to for `lockWaitMs`, EXDEV when it is
   * not on `device`.
   */
  constructor(path: string, device: number, options: WorkOptions) {
    const { use, lockWaitMs = 0 } = options;
    this.use = use;
    const fd = openAt(AT_FDCWD, bytesOf(path), O_PATH | O_DIRECTORY);
    const opened: number[] = [fd];
    try {
      if (statAt(fd, ITSELF).dev !== device) throw new FsError(errno.EXDEV, "work in", path);
      if (use === "own") {
        this.#lockFd = openAt(fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
        opened.push(this.#lockFd);
        if (!lockWithin(this.#lockFd, lockWaitMs)) throw new FsError(errno.EBUSY, "work in", path);
      }
      this.fd = openPrivate(fd, WORK);
      opened.push(this.fd);
      this.indexFd = openPrivate(fd, INDEX);
      opened.push(this.indexFd);
      if (use === "own") {
        const left = listOf(this.fd).filter(({ name }) => name !== INTENTION);
        for (const { name } of left) removeTree(this.fd, name);
      }
      this.form = use === "own" ? this.#formOf(fd, options) : readForm(fd, options);
    } catch (error) {
      for (const one of opened.slice(1)) close(one);
      throw error;
    } finally {
      close(fd);
    }
  }

  /** The form is noted for those who only observe the upper. */
  #formOf(fd: number, { form, xattrPrefix }: WorkOptions): MarkForm {
    const own = form ?? probeMarkForm(this.fd, xattrPrefix);
    const text = formatMarkForm(own);
    const isUsual = text === formatMarkForm(usualForm(xattrPrefix));
    const isNoted = tryStatAt(fd, FORM) !== undefined;
    if (isUsual && isNoted) unlinkAt(fd, FORM);
    if (isUsual || (isNoted && text === formatMarkForm(readForm(fd, { xattrPrefix })))) return own;
    this.prepare((temporary) => {
      using file = new Descriptor(openAt(this.fd, temporary, CREATE, 0o600));
      writeFull(file.fd, Buffer.from(text, "latin1"));
      renameAt(this.fd, temporary, fd, FORM);
    });
    return own;
  }

  dropIntention(): void {
    if (tryStatAt(this.fd, INTENTION) !== undefined) unlinkAt(this.fd, INTENTION);
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

  /**
   * Prepares something under a temporary name, a new one unless told, and has it put in place;
   * where one of the two fails, nothing of it stays. Throws what they throw.
   */
  prepare<T>(make: (name: Name) => T, name = this.temporary()): T {
    this.refuseObserver();
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
