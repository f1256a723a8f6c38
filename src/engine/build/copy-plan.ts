// Where sources go: the layer that COPY and ADD make, as a tree of files, checked against the stage
// below it. It writes nothing and reads no contents; entries() hands it to whoever writes layers.

import { SyntaxFault } from "../../dockerfile/index.js";
import type { DiffEntry, DiffFile, FindableNode } from "../../layer/index.js";
import {
  compareBytes,
  componentsOf,
  joinPath,
  type LayerPath,
  type Name,
  ROOT_PATH,
  textOf,
} from "../../path.js";
import { isDirectory, isRegular, isSymlink, S_IFDIR, S_IFREG, type Stat } from "../../sys/index.js";
import type { SourceEntry } from "./copy-source.js";
import { nodeAt } from "./find-path.js";
import type { ModeChange } from "./mode-change.js";

/** What becomes of owners and modes. */
export interface CopyAttributes {
  /** undefined keeps the owners that the files have. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly mode: ModeChange | undefined;
  /** Of directories that no source describes. */
  readonly now: Date;
}

/** A file whose bytes are at hand. */
export interface PlainContent {
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly mtime: Date;
}

type PlannedFile = Omit<DiffFile, "path" | "hardlinkOf">;

interface Planned {
  readonly file: PlannedFile;
  /** Names of one inode have one key. */
  readonly linkKey: string | undefined;
  readonly children: Map<Name, Planned>;
}

/** One layer in the making. `below` is the stage's tree without it. */
export class CopyPlan {
  readonly #below: FindableNode;
  readonly #attributes: CopyAttributes;
  readonly #roots = new Map<Name, Planned>();
  /** Sources are trees of their own: equal inode numbers in two of them mean nothing. */
  #source = 0;
  #keepsOwners = false;

  constructor(below: FindableNode, attributes: CopyAttributes) {
    this.#below = below;
    this.#attributes = attributes;
  }

  /** True when a directory is there, in the stage or by this plan. */
  isDirectory(path: LayerPath): boolean {
    const planned = this.#planned(path);
    const node = planned === undefined ? nodeAt(this.#below, path) : undefined;
    const mode = planned?.file.stat.mode ?? node?.stat().mode;
    return path === ROOT_PATH || (mode !== undefined && isDirectory(mode));
  }

  /** Makes a directory with its parents where there is none. Throws SyntaxFault where a file is. */
  makeDirectory(path: LayerPath): void {
    this.#directory(path);
  }

  /**
   * Puts a source at a path; a directory's content goes into the directory that is there. With
   * `keepsOwners` the files keep the owners that they have. Throws SyntaxFault in docker's words.
   */
  place(path: LayerPath, entry: SourceEntry, keepsOwners = false): void {
    this.#source += 1;
    this.#keepsOwners = keepsOwners;
    if (entry.children === undefined) this.#placeFile(path, entry);
    else this.#placeTree(path, entry, this.isDirectory(path));
  }

  /** Puts a directory itself, without what is in it. */
  placeDirectory(path: LayerPath, entry: SourceEntry): void {
    this.#keepsOwners = false;
    this.#placeTree(path, { ...entry, children: [] }, this.isDirectory(path));
  }

  placeContent(path: LayerPath, { bytes, mode, mtime }: PlainContent): void {
    this.#keepsOwners = false;
    const stat = this.#madeStat(S_IFREG | mode, mtime, bytes.length);
    const file: PlannedFile = {
      kind: "entry",
      stat: this.#changed(stat),
      xattrs: new Map(),
      content: () => bytesContent(bytes),
    };
    this.#put(path, { file, linkKey: undefined, children: new Map() });
  }

  /** The layer, in the order that diff.ts tells. */
  *entries(): Generator<DiffEntry> {
    const firstNames = new Map<string, LayerPath>();
    const waiting: { path: LayerPath; planned: Planned }[] = [];
    const push = (directory: LayerPath, children: ReadonlyMap<Name, Planned>): void => {
      const names = [...children.keys()].sort(compareBytes).reverse();
      for (const name of names) {
        const planned = children.get(name);
        if (planned !== undefined) waiting.push({ path: joinPath(directory, name), planned });
      }
    };
    push(ROOT_PATH, this.#roots);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { path, planned } = next;
      const first = planned.linkKey === undefined ? undefined : firstNames.get(planned.linkKey);
      if (planned.linkKey !== undefined && first === undefined) {
        firstNames.set(planned.linkKey, path);
      }
      yield { ...planned.file, path, ...(first === undefined ? {} : { hardlinkOf: first }) };
      push(path, planned.children);
    }
  }

  get isEmpty(): boolean {
    return this.#roots.size === 0;
  }

  #planned(path: LayerPath): Planned | undefined {
    let children = this.#roots;
    let planned: Planned | undefined;
    for (const name of componentsOf(path)) {
      planned = children.get(name);
      if (planned === undefined) return undefined;
      children = planned.children;
    }
    return planned;
  }

  /** The children of a directory that is there afterwards. */
  #directory(path: LayerPath): Map<Name, Planned> {
    let children = this.#roots;
    let at = ROOT_PATH;
    for (const name of componentsOf(path)) {
      at = joinPath(at, name);
      let planned = children.get(name);
      if (planned === undefined) {
        planned = this.#directoryBelow(at) ?? this.#newDirectory();
        children.set(name, planned);
      } else if (!isDirectory(planned.file.stat.mode)) {
        throw new SyntaxFault(`cannot copy to non-directory: /${textOf(at)}`);
      }
      children = planned.children;
    }
    return children;
  }

  /** The stage's own directory: told as it is, since a layer shows its own directories' attributes. */
  #directoryBelow(path: LayerPath): Planned | undefined {
    const node = nodeAt(this.#below, path);
    if (node === undefined) return undefined;
    const stat = node.stat();
    if (!isDirectory(stat.mode)) {
      throw new SyntaxFault(`cannot copy to non-directory: /${textOf(path)}`);
    }
    const file = { kind: "entry", stat, xattrs: node.xattrs() } as const;
    return { file, linkKey: undefined, children: new Map() };
  }

  #newDirectory(): Planned {
    const stat = this.#madeStat(S_IFDIR | 0o755, this.#attributes.now, 0);
    const file = { kind: "entry", stat, xattrs: new Map() } as const;
    return { file, linkKey: undefined, children: new Map() };
  }

  #placeTree(path: LayerPath, entry: SourceEntry, keeps: boolean): void {
    const children = keeps ? this.#directory(path) : this.#putDirectory(path, entry);
    for (const child of entry.children ?? []) {
      const inner = joinPath(path, child.name);
      // What is there already is made as the source has it, but for the place that was named.
      if (child.children !== undefined) this.#placeTree(inner, child, false);
      else this.#placeFile(inner, child, children);
    }
  }

  #putDirectory(path: LayerPath, entry: SourceEntry): Map<Name, Planned> {
    const children = this.#directory(path);
    if (path === ROOT_PATH) return children;
    const parents = this.#directory(parentPath(path));
    const name = componentsOf(path).at(-1);
    if (name !== undefined) {
      parents.set(name, { file: this.#fileOf(entry.node), linkKey: undefined, children });
    }
    return children;
  }

  #placeFile(path: LayerPath, entry: SourceEntry, siblings?: Map<Name, Planned>): void {
    const key = entry.node.hardlinkKey();
    const planned: Planned = {
      file: this.#fileOf(entry.node),
      linkKey: key === undefined ? undefined : `${this.#source}:${key}`,
      children: new Map(),
    };
    this.#put(path, planned, siblings);
  }

  #put(path: LayerPath, planned: Planned, siblings?: Map<Name, Planned>): void {
    if (this.isDirectory(path)) {
      throw new SyntaxFault(`cannot replace directory /${textOf(path)} with file`);
    }
    const name = componentsOf(path).at(-1);
    if (name === undefined) return;
    (siblings ?? this.#directory(parentPath(path))).set(name, planned);
  }

  #fileOf(node: FindableNode): PlannedFile {
    const stat = this.#changed(node.stat());
    const base = { kind: "entry", stat, xattrs: node.xattrs() } as const;
    if (isSymlink(stat.mode)) return { ...base, target: node.readlink() };
    return isRegular(stat.mode) ? { ...base, content: () => node.open() } : base;
  }

  /** With the owner and mode that the instruction asks for; a symlink has no mode. */
  #changed(stat: Stat): Stat {
    const { owner, mode } = this.#attributes;
    const changed = mode === undefined || isSymlink(stat.mode) ? stat.mode : mode(stat.mode);
    return { ...stat, ...(this.#keepsOwners ? {} : owner), mode: changed };
  }

  #madeStat(mode: number, mtime: Date, sizeBytes: number): Stat {
    const ms = mtime.getTime();
    const mtimeSec = Math.floor(ms / 1000);
    return {
      ...NOTHING,
      ...(this.#attributes.owner ?? { uid: 0, gid: 0 }),
      mode,
      sizeBytes,
      mtimeSec,
      mtimeNsec: (ms - mtimeSec * 1000) * 1_000_000,
    };
  }
}

function parentPath(path: LayerPath): LayerPath {
  return componentsOf(path).slice(0, -1).join("/") as LayerPath;
}

function bytesContent(bytes: Uint8Array): ReturnType<NonNullable<DiffFile["content"]>> {
  return {
    read: (into, start, lengthBytes, position) => {
      const part = bytes.subarray(position, position + lengthBytes);
      into.set(part, start);
      return part.length;
    },
    close: () => undefined,
  };
}

const NOTHING: Stat = {
  ...{ dev: 0, ino: 0n, nlink: 1, mode: 0, uid: 0, gid: 0, rdevMajor: 0, rdevMinor: 0 },
  ...{ sizeBytes: 0, blocks: 0, blksize: 0, atimeSec: 0, atimeNsec: 0, mtimeSec: 0, mtimeNsec: 0 },
  ...{ ctimeSec: 0, ctimeNsec: 0, btimeSec: 0, btimeNsec: 0, attributes: 0 },
};
