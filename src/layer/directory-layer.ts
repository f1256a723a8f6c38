// The directory layer: a diff unpacked as a directory on disk, with overlay-style or fuse-overlayfs
// whiteouts. Reading only; the directory upper (directory-upper.ts) adds the changes.
// Directories are walked by descriptors, so a symlink in a layer can never lead out of it.

import { errno, FsError, isFsError } from "../errors.js";
import { type ByteString, bytesOf, ITSELF, type Name, textOf } from "../path.js";
import {
  AT_FDCWD,
  Descriptor,
  type Dirent,
  DT_CHR,
  DT_REG,
  DT_UNKNOWN,
  direntType,
  getxattrAt,
  type InodeFlagsForm,
  isDirectory,
  isRegular,
  isSymlink,
  listxattrAt,
  O_ACCMODE,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TRUNC,
  openAt,
  openTreeReadOnly,
  readDirents,
  readlinkAt,
  reopen,
  type Stat,
  statAt,
  statFd,
  tryStatAt,
} from "../sys/index.js";
import type { Ownership } from "./attributes.js";
import type { Closer } from "./closer.js";
import { DirectoryDescriptors } from "./directory-descriptors.js";
import { DirectoryFile, type FileOwner, shownStat, UNCHANGING } from "./directory-file.js";
import {
  believedMarks,
  hasOpaqueFile,
  hasWhiteoutFile,
  isXattrWhiteout,
  readXattrMarks,
  withWhiteoutFiles,
} from "./directory-marks.js";
import {
  DirectoryNode,
  DirectoryNodes,
  type DiskMarks,
  directoryNodeOf,
  requireDirectory,
} from "./directory-node.js";
import { readFileFlags, readInodeFlags } from "./inode-flags.js";
import {
  type Layer,
  type LayerDirent,
  type LayerFile,
  type LayerLookup,
  type LayerMarks,
  type LayerNode,
  WHITEOUT,
} from "./layer.js";
import type { LookAhead } from "./look-ahead.js";
import { shownXattr, storedXattr } from "./nested.js";
import { xattrPrefixOf } from "./own-prefix.js";
import {
  isReservedName,
  isWhiteoutStat,
  OVERRIDE_STAT,
  RECORD_NAMES,
  type XattrPrefix,
} from "./whiteout.js";

/** How a directory is to be read as a layer. */
export interface DirectoryLayerOptions {
  /** Where the marks are; default: "trusted" where that can be read, else "user"; "user.strata" where the root has it. */
  readonly xattrPrefix?: XattrPrefix;
  /** "override": owners, modes and devices that could not be set are recorded in an xattr. */
  readonly ownership?: Ownership;
  /** With "override": the xattr of the records; OVERRIDE_STAT. */
  readonly recordName?: ByteString;
  /** Records count, in whatever xattr, if the root has one (containers/storage, fuse-overlayfs). */
  readonly detectRecords?: boolean;
  /** Through a read-only clone of the directory's mount, where the kernel permits one. */
  readonly readOnlyMount?: boolean;
  /** `.wh.NAME` files and `.wh..wh..opq` are whiteouts (fuse-overlayfs). Default true. */
  readonly whFiles?: boolean;
  /** False: the mark `redirect` is not believed (mount option "redirect_dir=nofollow"). Default true. */
  readonly followRedirects?: boolean;
  /** Others may change it: attributes are read afresh. Default false. */
  readonly alters?: boolean;
  /** Most directories kept open at once; default 2048. */
  readonly directoryFds?: number;
  /** Reads what a walk will want; one for all layers of a mount, closed with the first of them. */
  readonly lookAhead?: LookAhead;
}

/** A directory by path, or by a descriptor of the caller's (which stays the caller's). */
export type DirectorySource = string | { readonly fd: number; readonly title: string };

/** Opens a directory as a read-only layer. Throws FsError (ENOENT, ENOTDIR, EACCES). */
export function openDirectoryLayer(
  source: DirectorySource,
  options: DirectoryLayerOptions = {},
): Layer {
  const title = typeof source === "string" ? source : source.title;
  const rootFd = openRoot(source, options.readOnlyMount === true);
  return new DirectoryLayer(title, rootFd, dialectOf(rootFd, options));
}

/** The dialect that the options mean for the layer whose root this is. */
export function dialectOf(rootFd: number, options: DirectoryLayerOptions): DirectoryDialect {
  return {
    xattrPrefix: options.xattrPrefix ?? xattrPrefixOf(rootFd),
    recordName: recordNameOf(rootFd, options),
    whFiles: options.whFiles ?? true,
    followRedirects: options.followRedirects ?? true,
    directoryFds: options.directoryFds ?? DIRECTORY_FDS,
    xattrWhiteouts: false,
    changes: false,
    alters: options.alters ?? false,
    lookAhead: options.lookAhead,
  };
}

/** The xattr that a layer's owners are recorded in; undefined where they are in none. */
export function recordNameOf(
  rootFd: number,
  options: Pick<DirectoryLayerOptions, "ownership" | "recordName" | "detectRecords">,
): ByteString | undefined {
  if (options.ownership === "override") return options.recordName ?? OVERRIDE_STAT;
  if (options.detectRecords !== true) return undefined;
  return RECORD_NAMES.find((name) => getxattrAt(rootFd, ITSELF, name) !== undefined);
}

/** Directories kept open by one layer, unless told otherwise. */
export const DIRECTORY_FDS = 2048;

/** A descriptor of the layer's root. Throws FsError. */
export function openRoot(source: DirectorySource, readOnlyMount: boolean): number {
  if (typeof source !== "string") return openAt(source.fd, HERE, O_PATH | O_DIRECTORY);
  if (readOnlyMount) {
    try {
      return openTreeReadOnly(bytesOf(source));
    } catch (error) {
      if (!isFsError(error, errno.EPERM, errno.ENOSYS, errno.EINVAL)) throw error;
    }
  }
  return openAt(AT_FDCWD, bytesOf(source), O_PATH | O_DIRECTORY);
}

/** The options of a directory layer, all decided. */
export interface DirectoryDialect {
  readonly xattrPrefix: XattrPrefix;
  /** The xattr that owners and modes are recorded in; undefined: in none. */
  readonly recordName: ByteString | undefined;
  readonly whFiles: boolean;
  readonly followRedirects: boolean;
  readonly directoryFds: number;
  /** It is an upper whose whiteouts are xattrs: they may be in opaque directories too. */
  readonly xattrWhiteouts: boolean;
  /** It is an upper: attributes are read afresh, every node is known. */
  readonly changes: boolean;
  /** Attributes are read afresh, though it is none. */
  readonly alters: boolean;
  /** Of a layer that does not change, if at all. */
  readonly lookAhead?: LookAhead | undefined;
  /** Of an upper, if it is given one. */
  readonly closer?: Closer | undefined;
}

const HERE = bytesOf(".");
const READ_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
const NOT_OURS = O_CREAT | O_EXCL | O_DIRECT;

/** Layer over a directory. What is public besides the interface is for the upper. */
export class DirectoryLayer implements Layer {
  readonly title: string;
  readonly root: DirectoryNode;
  readonly device: number;
  readonly dialect: DirectoryDialect;
  readonly descriptors: DirectoryDescriptors;
  readonly nodes: DirectoryNodes;
  /** Inode number of a whiteout that stays one: spares readdir a stat for each link of it. */
  whiteoutIno = 0n;
  #noatime = O_NOATIME;

  /** Takes over the descriptor `rootFd`. */
  constructor(title: string, rootFd: number, dialect: DirectoryDialect) {
    this.title = title;
    this.dialect = dialect;
    this.descriptors = new DirectoryDescriptors(dialect.directoryFds);
    const stat = statFd(rootFd);
    this.device = stat.dev;
    this.nodes = new DirectoryNodes(stat.dev, dialect.changes, dialect.closer);
    this.root = new DirectoryNode(this.shown(stat, rootFd, ITSELF), undefined, ITSELF as Name);
    this.root.heldFd = rootFd;
    this.nodes.add(this.root);
  }

  lookup(directory: LayerNode, name: Name): LayerLookup {
    const parent = requireDirectory(directory);
    const { whFiles } = this.dialect;
    if (whFiles && isReservedName(name)) return undefined;
    const fd = this.descriptors.of(parent);
    const stat = tryStatAt(fd, name);
    if (stat === undefined) return whFiles && hasWhiteoutFile(fd, name) ? WHITEOUT : undefined;
    if (this.isWhiteout(parent, fd, name, stat)) return WHITEOUT;
    return this.nodes.at(parent, name, this.shown(stat, fd, name));
  }

  /** True for both kinds of whiteouts that stand under the name itself. */
  isWhiteout(parent: DirectoryNode, fd: number, name: Name, stat: Stat): boolean {
    if (isWhiteoutStat(stat)) return true;
    if (stat.sizeBytes > 0 || !isRegular(stat.mode)) return false;
    return this.marks(parent).xattrWhiteouts && isXattrWhiteout(fd, name);
  }

  readdir(directory: LayerNode): LayerDirent[] {
    const parent = requireDirectory(directory);
    const fd = this.descriptors.of(parent);
    const entries = this.readRaw(fd).flatMap((dirent) => this.#dirent(parent, fd, dirent) ?? []);
    return this.dialect.whFiles ? withWhiteoutFiles(entries) : entries;
  }

  /** All names of a directory as they are on the disk. */
  readRaw(fd: number): Dirent[] {
    using fresh = new Descriptor(this.descriptors.withRoom(() => openAt(fd, HERE, READ_DIRECTORY)));
    const dirents = readDirents(fresh.fd);
    this.dialect.lookAhead?.listed(fresh.fd, dirents);
    return dirents;
  }

  #dirent(parent: DirectoryNode, fd: number, { name, ino, type }: Dirent): LayerDirent | undefined {
    if (ino === this.whiteoutIno) return { name, type: DT_CHR, ino, whiteout: true };
    const maybeWhiteout =
      type === DT_CHR || type === DT_UNKNOWN || (type === DT_REG && this.#looksInside(parent));
    if (!maybeWhiteout) return { name, type, ino, whiteout: false };
    const stat = tryStatAt(fd, name);
    if (stat === undefined) return undefined;
    const whiteout = this.isWhiteout(parent, fd, name, stat);
    // Safe to remember where inodes are never freed and used again.
    if (whiteout && type === DT_CHR && !this.dialect.changes) this.whiteoutIno = ino;
    const shownType = whiteout ? DT_CHR : direntType(this.shown(stat, fd, name).mode);
    return { name, type: shownType, ino, whiteout };
  }

  /** Regular files may be something else: a recorded device, or a whiteout. */
  #looksInside(parent: DirectoryNode): boolean {
    return this.dialect.recordName !== undefined || this.marks(parent).xattrWhiteouts;
  }

  stat(node: LayerNode): Stat {
    const own = directoryNodeOf(node);
    if (!this.dialect.changes && !this.dialect.alters) return own.stat;
    own.stat = own.fileFd >= 0 ? this.statOpen(own.fileFd) : this.#statNamed(own);
    return own.stat;
  }

  #statNamed(node: DirectoryNode): Stat {
    const fd = this.fdFor(node);
    const name = nameFor(node);
    return this.shown(statAt(fd, name), fd, name);
  }

  /** The attributes, as this layer shows them, of what a descriptor has open. */
  statOpen(fd: number): Stat {
    return this.shown(statFd(fd), fd, ITSELF);
  }

  marks(node: LayerNode): DiskMarks & LayerMarks {
    const own = directoryNodeOf(node);
    own.marks ??= this.#readMarks(own);
    return own.marks;
  }

  #readMarks(node: DirectoryNode): DiskMarks {
    const fd = this.fdFor(node);
    const { followRedirects } = this.dialect;
    const read = readXattrMarks(fd, nameFor(node), this.dialect);
    const marks = believedMarks(read, followRedirects);
    if (!this.dialect.whFiles || marks.opaque || !isDirectory(node.stat.mode)) return marks;
    // A whiteout beside a directory of the same layer: the lower directory is hidden, this one shows.
    const hidden = node.parent !== undefined && hasWhiteoutFile(fd, node.name);
    return hidden || hasOpaqueFile(this.descriptors.of(node)) ? { ...marks, opaque: true } : marks;
  }

  readlink(node: LayerNode): ByteString {
    const own = directoryNodeOf(node);
    return readlinkAt(this.fdFor(own), nameFor(own));
  }

  getxattr(node: LayerNode, name: ByteString): Buffer | undefined {
    const own = directoryNodeOf(node);
    return getxattrAt(this.fdFor(own), nameFor(own), this.storedXattr(name));
  }

  listxattr(node: LayerNode): ByteString[] {
    const own = directoryNodeOf(node);
    const stored = listxattrAt(this.fdFor(own), nameFor(own));
    return stored.flatMap((name) => shownXattr(name, this.dialect.recordName) ?? []);
  }

  inodeFlags(node: LayerNode, form: InodeFlagsForm, file?: LayerFile): Buffer {
    return readInodeFlags(this, directoryNodeOf(node), form, file?.fd);
  }

  fileFlags(node: LayerNode): number | undefined {
    return readFileFlags(this, directoryNodeOf(node));
  }

  /** Where the xattr of this name is: not among those that are this layer's encoding. */
  storedXattr(name: ByteString): ByteString {
    return storedXattr(name, this.dialect.recordName);
  }

  open(node: LayerNode, flags: number): LayerFile {
    if ((flags & O_ACCMODE) !== O_RDONLY || flags & O_TRUNC) {
      throw new FsError(errno.EROFS, "open", textOf(directoryNodeOf(node).name));
    }
    return new DirectoryFile(this.openFd(directoryNodeOf(node), flags), this.fileOwner());
  }

  /** A descriptor of a regular file. Throws FsError EISDIR, ELOOP, ENXIO for all else. */
  openFd(node: DirectoryNode, flags: number): number {
    const { mode } = node.stat;
    if (!isRegular(mode)) {
      const number = isDirectory(mode) ? errno.EISDIR : isSymlink(mode) ? errno.ELOOP : errno.ENXIO;
      throw new FsError(number, "open", textOf(node.name));
    }
    const wanted = ownFlags(flags) | O_NOFOLLOW;
    if (this.dialect.changes || this.#noatime === 0) return this.#openFile(node, wanted);
    try {
      return this.#openFile(node, wanted | O_NOATIME);
    } catch (error) {
      // open(2): O_NOATIME is for the file's owner. A layer of others is read with what is left.
      if (!isFsError(error, errno.EPERM)) throw error;
      this.#noatime = 0;
      return this.#openFile(node, wanted);
    }
  }

  #openFile(node: DirectoryNode, flags: number): number {
    return this.descriptors.withRoom(() =>
      node.heldFd >= 0
        ? reopen(node.heldFd, flags & ~O_NOFOLLOW)
        : openAt(this.fdFor(node), node.name, flags),
    );
  }

  /** How open files of a layer that does not change behave. */
  fileOwner(): FileOwner {
    return { ...UNCHANGING, shown: (stat, fd) => this.shown(stat, fd, ITSELF) };
  }

  forget(node: LayerNode): void {
    const own = directoryNodeOf(node);
    if (own === this.root) return;
    this.descriptors.drop(own);
    this.nodes.forget(own);
  }

  close(): void {
    this.dialect.lookAhead?.close();
    this.descriptors.close();
    this.nodes.clear();
  }

  /** The descriptor to reach a node from; the path below it is nameFor(node). */
  fdFor(node: DirectoryNode): number {
    if (node.heldFd >= 0) return node.heldFd;
    if (node.parent === undefined) throw new FsError(errno.ESTALE, "find", textOf(node.name));
    return this.descriptors.of(node.parent);
  }

  /** The stat as it is to be seen: with what is recorded, where ownership is overridden. */
  shown(stat: Stat, dirFd: number, name: ByteString): Stat {
    return shownStat(stat, this.dialect.recordName, (record) => getxattrAt(dirFd, name, record));
  }
}

/** The flags of open(2) that mean the same to our descriptor as to the caller's file. */
export function ownFlags(flags: number): number {
  return flags & ~NOT_OURS;
}

/** The path from fdFor(node) to the node: its name, or nothing where the descriptor is its own. */
export function nameFor(node: DirectoryNode): ByteString {
  return node.heldFd >= 0 ? ITSELF : node.name;
}
