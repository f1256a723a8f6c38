// Making and changing inodes of an upper on the disk: types, owners, modes, and the record that
// stands for what an unprivileged process may not set. Each is named by a descriptor and a path
// below it, or the descriptor alone (an empty path). Where they stand is the upper's business.

import { assert, unreachable } from "../assert.js";
import { errno, isFsError } from "../errors.js";
import { type ByteString, ITSELF } from "../path.js";
import {
  chmodAt,
  chownAt,
  close,
  getxattrAt,
  isCharacterDevice,
  isDirectory,
  isRegular,
  isSymlink,
  isUsersRoot,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_WRONLY,
  openAt,
  PERMISSION_BITS,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISGID,
  S_ISUID,
  type Stat,
  setxattrAt,
  statAt,
  symlinkAt,
  umask,
} from "../sys/index.js";
import type { NewInode } from "./layer.js";
import { type DeviceNumber, storedDevice } from "./nested.js";
import { formatOverride, type OverrideType } from "./override-stat.js";
import { writerIds } from "./writer-ids.js";

const SET_ID_BITS = S_ISUID | S_ISGID;

/** What the owner needs, so that an unprivileged mount can serve a file whatever its mode says. */
const OWNER_FILE = 0o600;
const OWNER_DIRECTORY = 0o700;

/** The S_IFMT bits of a new inode. */
export function typeBits(type: NewInode["type"]): number {
  switch (type) {
    case "file":
      return S_IFREG;
    case "directory":
      return S_IFDIR;
    case "symlink":
      return S_IFLNK;
    case "char":
      return S_IFCHR;
    case "block":
      return S_IFBLK;
    case "fifo":
      return S_IFIFO;
    case "socket":
      return S_IFSOCK;
    default:
      return unreachable(type);
  }
}

/** Type, permissions and owner of what is to be: a Stat is one. */
export interface Identity {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
}

/** Writes inodes for one upper. All methods throw FsError. */
export class InodeWriter {
  readonly #recordName: ByteString | undefined;
  readonly #recordsAll: boolean;
  /** Owners are recorded even where they could be set: that user outside is to read the same. */
  readonly #recordsOwners: boolean;
  readonly #uid: number;
  readonly #gid: number;
  /** Without privileges the backing mode must let us in; what the caller wanted is recorded. */
  readonly #recordsModes: boolean;
  #umask: number | undefined;
  /** The umask of the process before ours. */
  #umaskBefore = 0;

  /**
   * `recordName`: the xattr for what the kernel refuses; without one the refusal is passed on.
   * `recordsAll`: every file and directory gets a record. fuse-overlayfs shows nothing of a layer
   * with records that has none itself (ENODATA).
   */
  constructor(recordName: ByteString | undefined, recordsAll = false) {
    this.#recordName = recordName;
    this.#recordsAll = recordsAll && recordName !== undefined;
    this.#recordsOwners = recordName !== undefined && isUsersRoot();
    const { uid, gid } = writerIds(this.#recordsOwners);
    this.#uid = uid;
    this.#gid = gid;
    this.#recordsModes = recordName !== undefined && this.#uid !== 0;
  }

  /** Owners may be in records, of which the file system knows nothing. */
  get records(): boolean {
    return this.#recordName !== undefined;
  }

  /** The root's record says that there may be others (fuse-overlayfs looks there). */
  recordRoot(rootFd: number): void {
    const stat = statAt(rootFd, ITSELF);
    if (!this.#hasRecord(rootFd, ITSELF, stat)) this.#record(rootFd, ITSELF, stat);
  }

  /** The file system itself applies it, or the directory's default ACL in its place (acl(5)). */
  #useUmask(mask: number): void {
    if (mask === this.#umask) return;
    const before = umask(mask);
    if (this.#umask === undefined) this.#umaskBefore = before;
    this.#umask = mask;
  }

  /** Gives the process its umask back; while the writer is in use, files of others get ours. */
  close(): void {
    if (this.#umask !== undefined) umask(this.#umaskBefore);
    this.#umask = undefined;
  }

  /**
   * Makes a regular file, opened with `flags` (O_CREAT | O_EXCL or O_TMPFILE among them);
   * `inherited` is the group that the directory hands down, if it does.
   */
  openNew(
    dirFd: number,
    name: ByteString,
    inode: NewInode,
    flags: number,
    inherited: number | undefined,
  ): number {
    this.#useUmask(inode.umask);
    const fd = openAt(dirFd, name, flags | O_NOFOLLOW, this.#firstMode(inode, inherited));
    try {
      this.#own(fd, ITSELF, inode, inherited);
      return fd;
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /** Makes an inode of any type at a name that is free. */
  make(dirFd: number, name: ByteString, inode: NewInode, inherited: number | undefined): void {
    this.#useUmask(inode.umask);
    const mode = this.#firstMode(inode, inherited);
    switch (inode.type) {
      case "file":
        close(this.openNew(dirFd, name, inode, O_CREAT | O_EXCL | O_WRONLY, inherited));
        return;
      case "directory":
        mkdirAt(dirFd, name, mode);
        break;
      case "symlink":
        symlinkAt(inode.target ?? ITSELF, dirFd, name);
        break;
      default:
        if (!this.#makeSpecial(dirFd, name, inode, mode)) {
          this.#makeStandIn(dirFd, name, inode, inherited);
          return;
        }
    }
    this.#own(dirFd, name, inode, inherited);
  }

  /** False where the kernel refuses and a record is to stand for it. */
  #makeSpecial(dirFd: number, name: ByteString, inode: NewInode, mode: number): boolean {
    // A record can't be written on it, so it must not need one.
    if (this.#recordsModes && !this.#isOurs(inode, undefined)) return false;
    const type = typeBits(inode.type);
    const { rdevMajor, rdevMinor } = deviceOf(inode);
    return this.#unlessRefused(() => mknodAt(dirFd, name, type | mode, rdevMajor, rdevMinor));
  }

  #makeStandIn(
    dirFd: number,
    name: ByteString,
    inode: NewInode,
    inherited: number | undefined,
  ): void {
    const plain: NewInode = { ...inode, type: "file", uid: this.#uid, gid: this.#gid };
    close(this.openNew(dirFd, name, plain, O_CREAT | O_EXCL | O_WRONLY, undefined));
    const { mode } = statAt(dirFd, name);
    this.#record(dirFd, name, {
      mode: typeBits(inode.type) | (mode & PERMISSION_BITS),
      uid: inode.uid,
      gid: inherited ?? inode.gid,
      rdevMajor: inode.rdevMajor ?? 0,
      rdevMinor: inode.rdevMinor ?? 0,
    });
  }

  /** An inherited group is the file system's doing, unless groups are recorded. */
  #isOurs({ uid, gid }: { uid: number; gid: number }, inherited: number | undefined): boolean {
    if (uid !== this.#uid) return false;
    return inherited === undefined ? gid === this.#gid : !this.records || inherited === this.#gid;
  }

  /** Set-id bits come after the owner: a crash between must not leave root's set-id program. */
  #firstMode(inode: NewInode, inherited: number | undefined): number {
    return this.#isOurs(inode, inherited) ? inode.mode : inode.mode & ~SET_ID_BITS;
  }

  #own(dirFd: number, name: ByteString, inode: NewInode, inherited: number | undefined): void {
    const isSymlinkInode = inode.type === "symlink";
    if (!this.#isOurs(inode, inherited)) {
      const gid = inherited === undefined ? inode.gid : this.records ? inherited : -1;
      if (!this.#chown(dirFd, name, isSymlinkInode, inode.uid, gid) && !isSymlinkInode) {
        const { mode } = statAt(dirFd, name);
        const shown = { uid: inode.uid, gid: inherited ?? inode.gid };
        this.#record(dirFd, name, {
          ...NO_DEVICE,
          ...shown,
          mode: mode | setIds(inode, inherited),
        });
        return;
      }
      if (inode.mode & SET_ID_BITS && !isSymlinkInode && inode.type !== "directory") {
        const { mode } = statAt(dirFd, name);
        chmodAt(dirFd, name, (mode & PERMISSION_BITS) | (inode.mode & SET_ID_BITS));
      }
    }
    if (this.records && inode.type === "directory" && inherited !== undefined) {
      // Made elsewhere, it inherited nothing.
      const { mode } = statAt(dirFd, name);
      if ((mode & S_ISGID) === 0) chmodAt(dirFd, name, (mode & PERMISSION_BITS) | S_ISGID);
    }
    if (this.#recordsModes && !isSymlinkInode) this.#letOwnerIn(dirFd, name);
    if (this.#recordsAll) this.#recordAsItIs(dirFd, name);
  }

  #recordAsItIs(dirFd: number, name: ByteString): void {
    const stat = statAt(dirFd, name);
    const recordable = isDirectory(stat.mode) || isRegular(stat.mode);
    if (recordable && !this.#hasRecord(dirFd, name, stat)) this.#record(dirFd, name, stat);
  }

  /** A mode that would shut us out is recorded, and the file keeps one that does not. */
  #letOwnerIn(dirFd: number, name: ByteString): void {
    const stat = statAt(dirFd, name);
    const needed = isDirectory(stat.mode) ? OWNER_DIRECTORY : OWNER_FILE;
    const recordable = isDirectory(stat.mode) || isRegular(stat.mode);
    if (recordable && (stat.mode & needed) !== needed) this.#record(dirFd, name, stat);
  }

  /** chown(2); -1 keeps. `shown` is what the inode shows now. */
  chown(dirFd: number, name: ByteString, shown: Stat, uid: number, gid: number): void {
    if (!this.#hasRecord(dirFd, name, shown)) {
      if (this.#chown(dirFd, name, isSymlink(shown.mode), uid, gid)) return;
      if (isSymlink(shown.mode)) return;
    }
    let { mode } = shown;
    if (!isDirectory(mode)) {
      mode &= ~S_ISUID;
      if (mode & 0o010) mode &= ~S_ISGID;
    }
    const owner = { uid: uid < 0 ? shown.uid : uid, gid: gid < 0 ? shown.gid : gid };
    this.#record(dirFd, name, { ...shown, ...owner, mode });
  }

  /** False where a record is to say it. On a symlink there is none (xattr(7)): it gets what it can. */
  #chown(dirFd: number, name: ByteString, isLink: boolean, uid: number, gid: number): boolean {
    if (this.#recordsOwners && !isLink) return false;
    return this.#unlessRefused(() => chownAt(dirFd, name, uid, gid));
  }

  /** chmod(2) with the 12 permission bits. */
  chmod(dirFd: number, name: ByteString, shown: Stat, permissions: number): void {
    const mode = (shown.mode & S_IFMT) | (permissions & PERMISSION_BITS);
    const needed = isDirectory(mode) ? OWNER_DIRECTORY : OWNER_FILE;
    const recordable = isDirectory(mode) || isRegular(mode);
    const shutsOut = this.#recordsModes && recordable && (mode & needed) !== needed;
    if (shutsOut || this.#hasRecord(dirFd, name, shown)) {
      this.#record(dirFd, name, { ...shown, mode });
    } else chmodAt(dirFd, name, mode & PERMISSION_BITS);
  }

  #hasRecord(dirFd: number, name: ByteString, shown: Stat): boolean {
    if (this.#recordName === undefined || isSymlink(shown.mode)) return false;
    return getxattrAt(dirFd, name, this.#recordName) !== undefined;
  }

  #record(dirFd: number, name: ByteString, own: Identity): void {
    assert(this.#recordName !== undefined, "who records has a name for it");
    const isDir = isDirectory(own.mode);
    const backing = own.mode & (isDir ? 0o1777 : 0o777);
    // First the mode that lets us in: without write permission no xattr is taken (xattr(7)).
    chmodAt(dirFd, name, backing | (isDir ? OWNER_DIRECTORY : OWNER_FILE));
    const { rdevMajor, rdevMinor } = isCharacterDevice(own.mode) ? storedDevice(own) : own;
    const device = { devMajor: rdevMajor, devMinor: rdevMinor };
    setxattrAt(dirFd, name, this.#recordName, formatOverride(own, overrideType(own.mode), device));
  }

  /** EINVAL is the answer to an id that the user namespace does not map. */
  #unlessRefused(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      if (this.#recordName !== undefined && isFsError(error, errno.EPERM, errno.EINVAL))
        return false;
      throw error;
    }
  }
}

/** The numbers on the disk of a device to be made. */
function deviceOf({ type, rdevMajor = 0, rdevMinor = 0 }: NewInode): DeviceNumber {
  return type === "char" ? storedDevice({ rdevMajor, rdevMinor }) : { rdevMajor, rdevMinor };
}

/** Of a new inode's record. A directory that hands its group down makes such directories. */
function setIds({ type, mode }: NewInode, inherited: number | undefined): number {
  if (type === "directory") return inherited === undefined ? 0 : S_ISGID;
  return mode & SET_ID_BITS;
}

const NO_DEVICE = { rdevMajor: 0, rdevMinor: 0 };

function overrideType(mode: number): OverrideType {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "dir";
    case S_IFLNK:
      return "symlink";
    case S_IFIFO:
      return "pipe";
    case S_IFSOCK:
      return "socket";
    case S_IFBLK:
      return "block";
    case S_IFCHR:
      return "char";
    default:
      return "file";
  }
}
