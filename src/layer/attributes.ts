// Owner, mode, xattrs and times of a file that apply makes, in the one order that keeps them all:
// chown clears set-id bits and capabilities, an ACL changes the mode, everything changes times.
// What an unprivileged process may not set is recorded in an xattr ("override") or reported.

import { errno, isFsError } from "../errors.js";
import type { ByteString, LayerPath } from "../path.js";
import {
  chmodAt,
  chownAt,
  fchmod,
  fchown,
  futimens,
  isUsersRoot,
  listxattrAt,
  presentUmask,
  removexattrAt,
  setxattrAt,
  setxattrFd,
  type Times,
  utimensAt,
} from "../sys/index.js";
import { isForeignXattr } from "./host-xattr.js";
import { besideRecord } from "./nested.js";
import { formatOverride, type OverrideType } from "./override-stat.js";
import { OVERRIDE_STAT } from "./whiteout.js";
import { writerIds } from "./writer-ids.js";

/** "override" records what the kernel refuses (rootless), "native" passes the refusal on. */
export type Ownership = "native" | "override";

/** What a file is besides its type and content; a TarEntry is one. */
export interface Attributes {
  /** 12 permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  readonly atimeSec?: number;
  readonly atimeNsec?: number;
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array>;
}

/** A device as it is recorded where it cannot be made. */
export interface DeviceNumbers {
  readonly devMajor: number;
  readonly devMinor: number;
}

/** An extended attribute that the file system or the caller's rights do not allow. */
export interface SkippedXattr {
  readonly path: LayerPath;
  readonly name: ByteString;
}

/** To the calls that take a name below a descriptor: the descriptor's own file. */
const ITSELF = "" as ByteString;
const SET_ID_BITS = 0o7000;
/** What the owner needs, so that an unprivileged mount can serve a file whatever its mode says. */
const OWNER_FILE = 0o600;
const OWNER_DIRECTORY = 0o700;

/** Writes attributes for one run of apply. Throws FsError. */
export class AttributeWriter {
  readonly #override: boolean;
  readonly #umask: number;
  /** Owners are recorded even where they could be set: that user outside is to read the same. */
  readonly #recordsAll: boolean;
  readonly #uid: number;
  readonly #gid: number;
  /** Nothing stands above new files that they inherit from: no set-gid bit, no default ACL. */
  readonly #freshTree: boolean;
  readonly skipped: SkippedXattr[] = [];

  constructor(ownership: Ownership, freshTree: boolean) {
    this.#override = ownership === "override";
    this.#recordsAll = this.#override && isUsersRoot();
    const { uid, gid } = writerIds(this.#recordsAll);
    this.#uid = uid;
    this.#gid = gid;
    this.#freshTree = freshTree;
    this.#umask = presentUmask();
  }

  get overrides(): boolean {
    return this.#override;
  }

  /** Root, or where only root could make it root's and nothing is recorded, ourselves. */
  get rootOwner(): { readonly uid: number; readonly gid: number } {
    return this.#override || this.#uid === 0
      ? { uid: 0, gid: 0 }
      : { uid: this.#uid, gid: this.#gid };
  }

  /** The mode to create a regular file with, so that mostly nothing is left to change. */
  creationMode(attributes: Attributes): number {
    const plain = attributes.xattrs.size === 0 && !this.#override && this.#freshTree;
    return plain ? attributes.mode & ~SET_ID_BITS & ~this.#umask : OWNER_FILE;
  }

  /** Of a regular file, open and with all its content; `created` is its creationMode. */
  file(fd: number, path: LayerPath, attributes: Attributes, created: number): void {
    const refused = !this.#chownFd(fd, attributes);
    const recorded = refused || this.#needsRecord(attributes, OWNER_FILE);
    if (!this.#freshTree) removeOtherXattrs(fd, ITSELF, attributes.xattrs);
    this.#setXattrs(fd, path, attributes.xattrs);
    if (recorded) this.#record(fd, attributes, "file");
    const mode = recorded ? (attributes.mode & 0o777) | OWNER_FILE : attributes.mode;
    if (mode !== created || !this.#freshTree) fchmod(fd, mode);
    futimens(fd, timesOf(attributes));
  }

  /** Of a directory that nothing more is made in; attributes it has besides are removed. */
  directory(fd: number, path: LayerPath, attributes: Attributes, fresh: boolean): void {
    const refused = !this.#chownFd(fd, attributes);
    const recorded = refused || this.#needsRecord(attributes, OWNER_DIRECTORY);
    if (!fresh || !this.#freshTree) removeOtherXattrs(fd, ITSELF, attributes.xattrs);
    this.#setXattrs(fd, path, attributes.xattrs);
    if (recorded) this.#record(fd, attributes, "dir");
    fchmod(fd, recorded ? (attributes.mode & 0o1777) | OWNER_DIRECTORY : attributes.mode);
    futimens(fd, timesOf(attributes));
  }

  /** Of a symlink (which has no mode), by its name. Its owner is lost where it is refused. */
  symlink(dirFd: number, name: ByteString, path: LayerPath, attributes: Attributes): void {
    this.#chownAt(dirFd, name, attributes);
    this.#setXattrsAt(dirFd, name, path, attributes.xattrs);
    utimensAt(dirFd, name, timesOf(attributes));
  }

  /** Of a device or fifo, by its name; false when its owner is refused, which only a stand-in keeps. */
  special(dirFd: number, name: ByteString, path: LayerPath, attributes: Attributes): boolean {
    if (this.#recordsAll || !this.#chownAt(dirFd, name, attributes)) return false;
    if (!this.#freshTree) removeOtherXattrs(dirFd, name, attributes.xattrs);
    this.#setXattrsAt(dirFd, name, path, attributes.xattrs);
    chmodAt(dirFd, name, attributes.mode);
    utimensAt(dirFd, name, timesOf(attributes));
    return true;
  }

  /** Of an empty regular file that stands for a device or fifo which could not be made. */
  standIn(
    fd: number,
    path: LayerPath,
    attributes: Attributes & DeviceNumbers,
    type: OverrideType,
  ): void {
    this.#setXattrs(fd, path, attributes.xattrs);
    this.#record(fd, attributes, type, attributes);
    fchmod(fd, (attributes.mode & 0o777) | OWNER_FILE);
    futimens(fd, timesOf(attributes));
  }

  #needsRecord(attributes: Attributes, owner: number): boolean {
    return this.#override && this.#uid !== 0 && (attributes.mode & owner) !== owner;
  }

  /** False when the owner could not be set and is to be recorded. */
  #chownFd(fd: number, { uid, gid }: Attributes): boolean {
    if (this.#recordsAll) return false;
    if (this.#freshTree && uid === this.#uid && gid === this.#gid) return true;
    return this.#unlessRefused(() => fchown(fd, uid, gid));
  }

  #chownAt(dirFd: number, name: ByteString, { uid, gid }: Attributes): boolean {
    if (this.#freshTree && uid === this.#uid && gid === this.#gid) return true;
    return this.#unlessRefused(() => chownAt(dirFd, name, uid, gid));
  }

  /** EINVAL is the answer to an id that the user namespace does not map. */
  #unlessRefused(change: () => void): boolean {
    try {
      change();
      return true;
    } catch (error) {
      if (this.#override && isFsError(error, errno.EPERM, errno.EINVAL)) return false;
      throw error;
    }
  }

  #record(fd: number, attributes: Attributes, type: OverrideType, device?: DeviceNumbers): void {
    setxattrFd(fd, OVERRIDE_STAT, formatOverride(attributes, type, device));
  }

  #setXattrs(fd: number, path: LayerPath, xattrs: Attributes["xattrs"]): void {
    if (xattrs.size === 0) return;
    this.#eachXattr(path, xattrs, (name, value) => setxattrFd(fd, name, value));
  }

  #setXattrsAt(
    dirFd: number,
    file: ByteString,
    path: LayerPath,
    xattrs: Attributes["xattrs"],
  ): void {
    if (xattrs.size === 0) return;
    this.#eachXattr(path, xattrs, (name, value) => setxattrAt(dirFd, file, name, value));
  }

  #eachXattr(
    path: LayerPath,
    xattrs: Attributes["xattrs"],
    set: (name: ByteString, value: Uint8Array) => void,
  ): void {
    for (const [name, value] of xattrs) {
      // A layer's own marks never come out of an archive: a planted redirect would show other files.
      if (isForeignXattr(name)) continue;
      try {
        set(this.#override ? besideRecord(name) : name, value);
      } catch (error) {
        if (!isFsError(error, errno.EPERM, errno.EOPNOTSUPP)) throw error;
        this.skipped.push({ path, name });
      }
    }
  }
}

function timesOf(attributes: Attributes): Times {
  const { mtimeSec, mtimeNsec } = attributes;
  return {
    atimeSec: attributes.atimeSec ?? mtimeSec,
    atimeNsec: attributes.atimeNsec ?? (attributes.atimeSec === undefined ? mtimeNsec : 0),
    mtimeSec,
    mtimeNsec,
  };
}

/** A member says everything about its file: what an ACL above gave it, or it had before, goes. */
function removeOtherXattrs(dirFd: number, file: ByteString, xattrs: Attributes["xattrs"]): void {
  for (const name of listxattrAt(dirFd, file)) {
    if (!xattrs.has(name) && !isForeignXattr(name)) removexattrAt(dirFd, file, name);
  }
}
