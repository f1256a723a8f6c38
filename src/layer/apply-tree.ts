// The tree that apply builds: members put where they belong, whiteouts carried out or marked,
// what stands in the way taken away. Directories and the walk to them are apply-directories.ts's.

import { errno, isFsError } from "../errors.js";
import {
  baseOf,
  bytesOf,
  joinPath,
  type LayerPath,
  type Name,
  parentOf,
  ROOT_PATH,
  textOf,
} from "../path.js";
import {
  close,
  DEFAULT_ACL,
  Descriptor,
  fchmod,
  isDirectory,
  linkAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  openAt,
  readDirents,
  removexattrFd,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  statAt,
  symlinkAt,
  tryStatAt,
  unlinkAt,
} from "../sys/index.js";
import type { TarEntry } from "../tar/entry.js";
import { ApplyDirectories, type ImpliedDirectory } from "./apply-directories.js";
import { type Attributes, AttributeWriter, type Ownership } from "./attributes.js";
import { LayerMarker } from "./layer-marker.js";
import { shownMember } from "./member-device.js";
import { memberPath, refusal } from "./member-path.js";
import { removeTree } from "./remove-tree.js";
import type { XattrPrefix } from "./whiteout.js";

/**
 * "layer": the tree is a fresh layer, whiteouts become overlayfs's marks. "extract": the tree is a
 * merged one, whiteouts delete what was there before this archive.
 */
export type ApplyMode = "layer" | "extract";

export interface ApplyTreeOptions {
  readonly mode: ApplyMode;
  readonly xattrPrefix: XattrPrefix;
  readonly ownership: Ownership;
  readonly impliedDirectory?: ImpliedDirectory;
}

const CREATE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const HERE = bytesOf(".");

/**
 * A tree that is being built below one directory. Paths are clean (memberPath), order is the
 * archive's. `finish` makes it complete; `close` lets go of it, complete or not. Throws FsError of
 * the file system and EngineError for members that no tree can hold.
 */
export class ApplyTree implements Disposable {
  readonly attributes: AttributeWriter;
  readonly #root: Descriptor;
  readonly #mode: ApplyMode;
  /** Of a layer. */
  readonly #marker: LayerMarker | undefined;
  readonly #directories: ApplyDirectories;
  /** What this archive brought, with all parents: its own whiteouts leave that alone. */
  readonly #own = new Set<LayerPath>();

  constructor(rootFd: number, options: ApplyTreeOptions) {
    const fresh = options.mode === "layer";
    this.#mode = options.mode;
    this.#root = new Descriptor(openAt(rootFd, HERE, O_RDONLY | O_DIRECTORY));
    this.#marker = fresh ? new LayerMarker(this.#root.fd, options.xattrPrefix) : undefined;
    this.attributes = new AttributeWriter(options.ownership, fresh);
    this.#directories = new ApplyDirectories(
      this.#root.fd,
      this.attributes,
      (parentFd, name, path, described) => this.#clearWay(parentFd, name, path, described),
      (fd) => this.#marker?.setOpaque(fd),
      options.impliedDirectory,
    );
    if (fresh) this.#prepareLayerRoot();
  }

  /** What a layer's directory inherited from where it lies is no part of the layer. */
  #prepareLayerRoot(): void {
    fchmod(this.#root.fd, 0o700);
    try {
      removexattrFd(this.#root.fd, DEFAULT_ACL);
    } catch (error) {
      if (!isFsError(error, errno.ENODATA, errno.EOPNOTSUPP)) throw error;
    }
    this.#directories.describeRootAsImplied();
  }

  directory(path: LayerPath, attributes: Attributes): void {
    this.#directories.describe(path, attributes);
    this.#owns(path);
  }

  /** Creates a regular file; the caller writes into it, calls finishFile and closes it. */
  createFile(path: LayerPath, mode: number): number {
    return this.#place(path, (parentFd, name) => openAt(parentFd, name, CREATE, mode));
  }

  symlink(path: LayerPath, entry: TarEntry): void {
    this.#place(path, (parentFd, name) => {
      symlinkAt(entry.linkPath, parentFd, name);
      this.attributes.symlink(parentFd, name, path, entry);
    });
  }

  /** A device or fifo; where the right is missing and "override" allows it, a file that says so. */
  special(path: LayerPath, member: TarEntry): void {
    const entry = this.#mode === "extract" ? shownMember(member) : member;
    const { type, devMajor, devMinor } = entry;
    if (type === "char" && devMajor === 0 && devMinor === 0 && this.#mode === "layer") {
      throw refusal(path, "a character device 0:0 would be a whiteout");
    }
    this.#place(path, (parentFd, name) => {
      if (this.#mknod(parentFd, name, entry)) {
        if (this.attributes.special(parentFd, name, path, entry)) return;
        unlinkAt(parentFd, name);
      }
      using file = new Descriptor(openAt(parentFd, name, CREATE, 0o600));
      const recorded = type === "char" || type === "block" ? type : "pipe";
      this.attributes.standIn(file.fd, path, entry, recorded);
    });
  }

  /** False where the right is missing and may be. */
  #mknod(parentFd: number, name: Name, { type, devMajor, devMinor }: TarEntry): boolean {
    const typeBits = type === "char" ? S_IFCHR : type === "block" ? S_IFBLK : S_IFIFO;
    try {
      mknodAt(parentFd, name, typeBits | 0o600, devMajor, devMinor);
      return true;
    } catch (error) {
      if (this.attributes.overrides && isFsError(error, errno.EPERM)) return false;
      throw error;
    }
  }

  /** A second name of a file that is in the tree; symlinks are neither followed nor passed. */
  hardlink(path: LayerPath, storedTarget: TarEntry["linkPath"]): void {
    const target = memberPath(storedTarget);
    if (target === path) return;
    const fault = (state: string) =>
      refusal(path, `its hard link target "${textOf(storedTarget)}" ${state}`);
    const targetFd = target === ROOT_PATH ? undefined : this.#directories.find(parentOf(target));
    const stat = targetFd === undefined ? undefined : tryStatAt(targetFd, baseOf(target));
    const hidden =
      targetFd !== undefined && this.#marker?.isWhiteout(targetFd, baseOf(target)) === true;
    if (stat === undefined || hidden) throw fault("is not in the tree");
    if (isDirectory(stat.mode)) throw fault("is a directory");
    this.#place(path, (parentFd, name) => {
      const from = this.#directories.find(parentOf(target));
      if (from === undefined) throw fault("is not in the tree");
      linkAt(from, baseOf(target), parentFd, name);
    });
  }

  /** The name is gone from the layers below; what this archive itself brings there stays. */
  whiteout(directory: LayerPath, name: Name): void {
    const path = joinPath(directory, name);
    const parentFd = this.#directories.need(directory);
    if (this.#marker === undefined) {
      this.#owns(directory);
      this.#deleteForeign(path);
      return;
    }
    try {
      this.#marker.whiteout(parentFd, name);
    } catch (error) {
      if (!isFsError(error, errno.EEXIST)) throw error;
      const isDir = isDirectory(statAt(parentFd, name).mode);
      if (isDir) this.#marker.setOpaque(this.#directories.need(path));
    }
  }

  /** Nothing of the directory's lower content shows; what this archive itself brings stays. */
  opaque(directory: LayerPath): void {
    const fd = this.#directories.need(directory);
    this.#owns(directory);
    if (this.#marker === undefined) this.#deleteForeignBelow(directory);
    else this.#marker.setOpaque(fd);
  }

  finish(): void {
    this.#directories.finish();
  }

  [Symbol.dispose](): void {
    this.#directories.close();
    this.#root.close();
  }

  #owns(path: LayerPath): void {
    if (this.#mode === "layer") return;
    for (let at = path; at !== "" && !this.#own.has(at); at = parentOf(at)) this.#own.add(at);
  }

  /** Makes something at a path; what stands there gives way: of duplicate members the last wins. */
  #place<Made>(path: LayerPath, make: (parentFd: number, name: Name) => Made): Made {
    if (path === "") throw refusal(path, "the root of a layer is a directory");
    const name = baseOf(path);
    const parentFd = this.#directories.need(parentOf(path));
    this.#owns(path);
    try {
      return make(parentFd, name);
    } catch (error) {
      if (!isFsError(error, errno.EEXIST)) throw error;
    }
    this.#directories.forget(path);
    removeTree(parentFd, name);
    return make(parentFd, name);
  }

  #clearWay(parentFd: number, name: Name, path: LayerPath, described: boolean) {
    const layer = this.#mode === "layer";
    const whiteout = this.#marker?.isWhiteout(parentFd, name) === true;
    const replaceable = described || whiteout || !(layer || this.#own.has(path));
    if (!replaceable) throw refusal(path, "members lie below it, but it is not a directory");
    removeTree(parentFd, name);
    // The file that stood here hid the lower directory; the new directory must not show it again.
    return { opaque: layer };
  }

  #deleteForeign(path: LayerPath): void {
    if (this.#own.has(path)) {
      this.#deleteForeignBelow(path);
      return;
    }
    const parentFd = this.#directories.find(parentOf(path));
    if (parentFd === undefined || tryStatAt(parentFd, baseOf(path)) === undefined) return;
    this.#directories.forget(path);
    removeTree(parentFd, baseOf(path));
  }

  #deleteForeignBelow(top: LayerPath): void {
    const left = [top];
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      const fd = this.#directories.find(path);
      if (fd === undefined) continue;
      for (const name of namesIn(fd)) {
        const child = joinPath(path, name);
        if (this.#own.has(child)) left.push(child);
        else this.#deleteForeign(child);
      }
    }
  }
}

function namesIn(fd: number): Name[] {
  const fresh = openAt(fd, HERE, O_RDONLY | O_DIRECTORY);
  try {
    return readDirents(fresh).map(({ name }) => name);
  } finally {
    close(fresh);
  }
}
