// A plain directory of the host as a tree to walk, by descriptors: no symlink is followed, and a
// path may be longer than the kernel takes. Whiteouts mean nothing here: layers have them.

import { LRUCache } from "lru-cache";
import { type ByteString, bytesOf, compareBytes, type Name } from "../path.js";
import {
  AT_FDCWD,
  close,
  Descriptor,
  getxattrAt,
  isDirectory,
  isRegular,
  listxattrAt,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  openAt,
  readDirents,
  readlinkAt,
  type Stat,
  statAt,
  tryStatAt,
} from "../sys/index.js";
import { NO_XATTRS } from "../tar/entry.js";
import type { Ownership } from "./attributes.js";
import { DescriptorFile } from "./descriptor-file.js";
import { overridden } from "./directory-file.js";
import type { LayerFile } from "./layer.js";
import { shownXattr, withShownDevice } from "./nested.js";
import { parseOverride } from "./override-stat.js";
import { type FindableNode, ROOT_NAME } from "./tree.js";
import { OVERRIDE_STAT } from "./whiteout.js";

const DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
const OPEN_DIRECTORIES = 128;
const HERE = bytesOf(".");

export interface DirectoryTreeOptions {
  /** "override": owners, modes and types are shown as recorded. Default "native". */
  readonly ownership?: Ownership;
}

/**
 * The directory at `path` (text) as a tree. Descriptors stay open until it is disposed of. Throws
 * FsError.
 */
export function directoryTree(
  path: string,
  options: DirectoryTreeOptions = {},
): FindableNode & Disposable {
  const fd = openAt(AT_FDCWD, bytesOf(path), O_RDONLY | O_DIRECTORY);
  return new HostRoot(new OpenDirectories(fd, options.ownership === "override"));
}

/** What the nodes of one tree share. */
class OpenDirectories {
  readonly override: boolean;
  readonly #root: Descriptor;
  readonly #open = new LRUCache<HostNode, number>({
    max: OPEN_DIRECTORIES,
    dispose: (fd) => close(fd),
  });

  constructor(rootFd: number, override: boolean) {
    this.#root = new Descriptor(rootFd);
    this.override = override;
  }

  /** A descriptor of the directory, opened from the nearest ancestor that still is; good for now. */
  fdOf(node: HostNode): number {
    const missing: HostNode[] = [];
    let at = node;
    let fd = this.#open.get(at);
    while (fd === undefined && at.parent !== undefined) {
      missing.push(at);
      at = at.parent;
      fd = this.#open.get(at);
    }
    let open = fd ?? this.#root.fd;
    for (let next = missing.pop(); next !== undefined; next = missing.pop()) {
      open = openAt(open, next.name, DIRECTORY);
      this.#open.set(next, open);
    }
    return open;
  }

  close(): void {
    this.#open.clear();
    this.#root.close();
  }
}

class HostNode implements FindableNode {
  readonly name: Name;
  readonly parent: HostNode | undefined;
  readonly directories: OpenDirectories;
  #stat: Stat | undefined;

  constructor(name: Name, parent: HostNode | undefined, directories: OpenDirectories) {
    this.name = name;
    this.parent = parent;
    this.directories = directories;
  }

  /** What the name is relative to; the root's empty name means the descriptor itself. */
  #parentFd(): number {
    return this.directories.fdOf(this.parent ?? this);
  }

  /** Asked for once: a tree that is walked does not change. */
  stat(): Stat {
    this.#stat ??= this.#readStat();
    return this.#stat;
  }

  #readStat(): Stat {
    const stat = statAt(this.#parentFd(), this.name);
    if (!this.directories.override || !(isRegular(stat.mode) || isDirectory(stat.mode)))
      return stat;
    const value = getxattrAt(this.#parentFd(), this.name, OVERRIDE_STAT);
    return value === undefined ? stat : withShownDevice(overridden(stat, parseOverride(value)));
  }

  child(name: Name): HostNode | undefined {
    const stat = tryStatAt(this.directories.fdOf(this), name);
    return stat === undefined ? undefined : new HostNode(name, this, this.directories);
  }

  children(): HostNode[] {
    using fresh = new Descriptor(openAt(this.directories.fdOf(this), HERE, DIRECTORY));
    return readDirents(fresh.fd)
      .sort((a, b) => compareBytes(a.name, b.name))
      .map(({ name }) => new HostNode(name, this, this.directories));
  }

  readlink(): ByteString {
    return readlinkAt(this.#parentFd(), this.name);
  }

  xattrs(): ReadonlyMap<ByteString, Uint8Array> {
    const fd = this.#parentFd();
    const names = listxattrAt(fd, this.name);
    if (names.length === 0) return NO_XATTRS;
    const xattrs = new Map<ByteString, Uint8Array>();
    for (const name of names) {
      const shown = shownXattr(name, this.directories.override ? OVERRIDE_STAT : undefined);
      const value = shown === undefined ? undefined : getxattrAt(fd, this.name, name);
      if (shown !== undefined && value !== undefined) xattrs.set(shown, value);
    }
    return xattrs;
  }

  open(): LayerFile {
    return new DescriptorFile(openAt(this.#parentFd(), this.name, O_RDONLY | O_NOFOLLOW));
  }

  hardlinkKey(): string | undefined {
    const { nlink, dev, ino, mode } = this.stat();
    return nlink > 1 && !isDirectory(mode) ? `${dev}:${ino}` : undefined;
  }
}

class HostRoot extends HostNode implements Disposable {
  constructor(directories: OpenDirectories) {
    super(ROOT_NAME, undefined, directories);
  }

  [Symbol.dispose](): void {
    this.directories.close();
  }
}
