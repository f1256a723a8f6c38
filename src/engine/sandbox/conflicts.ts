// What others changed in the directory since the sandbox began, of the paths that it is to be written to.

import { directoryTree, type FindableNode, sameFile } from "../../layer/index.js";
import { componentsOf, joinPath, type LayerPath } from "../../path.js";
import { isDirectory, isRegular, isSymlink, S_IFMT, type Stat } from "../../sys/index.js";
import { type BaseEntry, type BaseRecord, type Fingerprints, mtimeOf } from "./base-record.js";
import type { HostDirectory } from "./host-directory.js";

/** changed, removed, or made by somebody else. */
export type ConflictKind = "changed" | "is gone" | "appeared";

export interface Conflict {
  readonly path: LayerPath;
  readonly kind: ConflictKind;
}

/** What is compared. */
export interface Watched {
  readonly host: HostDirectory;
  readonly base: BaseRecord;
  readonly fingerprints: Fingerprints;
  readonly linked: ReadonlySet<bigint>;
}

/** Compares the directory with what it was. */
export class Watch implements Disposable {
  readonly found = new Map<LayerPath, ConflictKind>();
  readonly #host: HostDirectory;
  readonly #base: BaseRecord;
  readonly #fingerprints: Fingerprints;
  /** Files that got one more name by staging, and another ctime. */
  readonly #linked: ReadonlySet<bigint>;
  readonly #tree: FindableNode & Disposable;

  constructor({ host, base, fingerprints, linked }: Watched) {
    this.#linked = linked;
    this.#host = host;
    this.#base = base;
    this.#fingerprints = fingerprints;
    this.#tree = directoryTree(host.path);
  }

  add(path: LayerPath, kind: ConflictKind): void {
    if (!this.found.has(path)) this.found.set(path, kind);
  }

  /** The path is about to be replaced by something of the sandbox's; `now` is what is there. */
  expectBase(path: LayerPath, now: Stat | undefined): void {
    const before = this.#base.get(path);
    if (now === undefined) {
      if (before !== undefined) this.add(path, "is gone");
    } else if (before === undefined) this.add(path, "appeared");
    else if (isDirectory(now.mode)) this.expectTree(path, new Set());
    else if (!this.#isSame(path, before, now)) this.add(path, "changed");
  }

  /** The same of a directory that goes with all that is in it, but for those that are moved out of it. */
  expectTree(path: LayerPath, movedAway: ReadonlySet<bigint>): void {
    const waiting: LayerPath[] = [path];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const now = this.#host.stat(at);
      const before = this.#base.get(at);
      if (now === undefined) continue;
      if (before === undefined) this.add(at, "appeared");
      else if (!isDirectory(now.mode)) {
        if (!this.#isSame(at, before, now)) this.add(at, "changed");
      } else if (!isDirectory(before.mode)) this.add(at, "changed");
      else if (at === path || !movedAway.has(now.ino)) {
        for (const name of this.#host.names(at)) waiting.push(joinPath(at, name));
      }
    }
  }

  #isSame(path: LayerPath, before: BaseEntry, now: Stat): boolean {
    const isUntouched =
      before.ino === String(now.ino) &&
      before.mode === now.mode &&
      before.sizeBytes === now.sizeBytes &&
      before.mtime === mtimeOf(now) &&
      (before.ctime === `${now.ctimeSec}.${now.ctimeNsec}` || this.#linked.has(now.ino));
    if (isUntouched) return true;
    if ((before.mode & S_IFMT) !== (now.mode & S_IFMT)) return false;
    if (!this.hasSameAttributes(path, before, now)) return false;
    if (!isRegular(now.mode) && !isSymlink(now.mode)) return before.ino === String(now.ino);
    const node = this.node(path);
    if (node === undefined || before.content === "" || before.sizeBytes !== now.sizeBytes) {
      return false;
    }
    return this.#fingerprints.content(node) === before.content;
  }

  /** Owner, mode and xattrs. */
  hasSameAttributes(path: LayerPath, before: BaseEntry, now: Stat): boolean {
    if (before.mode !== now.mode || before.uid !== now.uid || before.gid !== now.gid) return false;
    const node = this.node(path);
    return node !== undefined && this.#fingerprints.xattrs(node) === before.xattrs;
  }

  /** The directory has this very file already, but for what links and inodes are. */
  has(path: LayerPath, wanted: FindableNode): boolean {
    const there = this.node(path);
    return there !== undefined && sameFile(there, wanted, "always");
  }

  node(path: LayerPath): FindableNode | undefined {
    let node: FindableNode | undefined = this.#tree;
    for (const name of componentsOf(path)) node = node?.child(name);
    return node;
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]();
  }
}
