// What changed between two trees, as a layer: `commit --base --dir`, and docker diff's lines.
// Law: compareTrees(b, c), written and applied onto b, gives c, with every attribute and link.

import { compareBytes, joinPath, type LayerPath, type Name, ROOT_PATH } from "../path.js";
import { isDirectory, isRegular, isSocket, isSymlink } from "../sys/index.js";
import type { DiffEntry, DiffFile } from "./diff.js";
import { type LinkGroups, linkGroups, sameLinks } from "./link-groups.js";
import { bothDirectories, type ContentsCheck, sameFile } from "./same-file.js";
import type { TreeNode } from "./tree.js";

export interface CompareOptions {
  /** Default "always". */
  readonly contents?: ContentsCheck;
}

/** A path that was added, changed or deleted: "A", "C", "D" of docker diff. */
export interface ChangeKind {
  readonly kind: "A" | "C" | "D";
  readonly path: LayerPath;
}

/**
 * The layer that turns `base` into `changed`, in the order of diff.ts. Directories above a change
 * are named too (an unpacked layer shows its own directories' attributes). Sockets count as
 * absent. A file is named with all its hard links when any of them or the set of them changed.
 * Throws FsError.
 */
export function* compareTrees(
  base: TreeNode,
  changed: TreeNode,
  options: CompareOptions = {},
): Generator<DiffEntry, void, undefined> {
  for (const { entry } of new Comparison(base, changed, options).run()) yield entry;
}

/** What docker diff prints of the same: of a deleted directory only itself, without the root. */
export function* changeKinds(
  base: TreeNode,
  changed: TreeNode,
  options: CompareOptions = {},
): Generator<ChangeKind, void, undefined> {
  for (const { entry, existed } of new Comparison(base, changed, options).run()) {
    if (entry.path === "") continue;
    yield { kind: entry.kind === "whiteout" ? "D" : existed ? "C" : "A", path: entry.path };
  }
}

interface Difference {
  readonly entry: DiffEntry;
  /** Whether the base has something of this name. */
  readonly existed: boolean;
}

/** A directory or file still to be looked at; `base` is undefined for what is new. */
interface Pair {
  readonly path: LayerPath;
  readonly base: TreeNode | undefined;
  readonly changed: TreeNode;
  readonly parent: Directory | undefined;
}

/** A directory of the changed tree; it is named at the latest before the first change below it. */
interface Directory extends Pair {
  named: boolean;
}

class Comparison {
  readonly #roots: Pair;
  readonly #contents: ContentsCheck;
  readonly #baseLinks: LinkGroups;
  readonly #changedLinks: LinkGroups;

  constructor(base: TreeNode, changed: TreeNode, options: CompareOptions) {
    this.#roots = { path: ROOT_PATH, base, changed, parent: undefined };
    this.#contents = options.contents ?? "always";
    this.#baseLinks = linkGroups(base);
    this.#changedLinks = linkGroups(changed);
  }

  *run(): Generator<Difference, void, undefined> {
    // A stack instead of recursion: trees may be deeper than JavaScript's.
    const waiting: Pair[] = [this.#roots];
    for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
      if (!isDirectory(pair.changed.stat().mode)) {
        if (this.#isSame(pair)) continue;
        yield* nameParents(pair.parent);
        yield { entry: this.#fileEntry(pair), existed: pair.base !== undefined };
        continue;
      }
      const directory: Directory = { ...pair, named: false };
      if (!this.#isSame(pair)) yield* nameParents(directory);
      const { gone, pairs } = childrenOf(directory);
      if (gone.length > 0) yield* nameParents(directory);
      for (const path of gone) yield { entry: { kind: "whiteout", path }, existed: true };
      for (const child of pairs.reverse()) waiting.push(child);
    }
  }

  #isSame({ path, base, changed }: Pair): boolean {
    if (base === undefined || !sameFile(base, changed, this.#contents)) return false;
    return sameLinks(path, this.#baseLinks, this.#changedLinks);
  }

  #fileEntry({ path, changed }: Pair): DiffFile {
    const stat = changed.stat();
    const shared = { kind: "entry", path, stat, xattrs: changed.xattrs() } as const;
    const first = this.#changedLinks.get(path)?.[0];
    if (first !== undefined && first !== path) return { ...shared, hardlinkOf: first };
    if (isSymlink(stat.mode)) return { ...shared, target: changed.readlink() };
    return isRegular(stat.mode) ? { ...shared, content: () => changed.open() } : shared;
  }
}

/** Names a directory and those above it, unless they are already. */
function* nameParents(directory: Directory | undefined): Generator<Difference, void, undefined> {
  const unnamed: Directory[] = [];
  for (let at = directory; at !== undefined && !at.named; at = at.parent) unnamed.push(at);
  for (const at of unnamed.reverse()) {
    at.named = true;
    const { path, changed } = at;
    const entry: DiffEntry = {
      kind: "entry",
      path,
      stat: changed.stat(),
      xattrs: changed.xattrs(),
    };
    yield { entry, existed: at.base !== undefined };
  }
}

/** Names that went, and pairs to look at, both sorted. */
function childrenOf(directory: Directory): { gone: LayerPath[]; pairs: Pair[] } {
  const { path, base, changed } = directory;
  const merges = base !== undefined && bothDirectories(base, changed);
  const old = new Map<Name, TreeNode>(
    (merges ? base.children() : []).filter(isKept).map((child) => [child.name, child]),
  );
  const pairs: Pair[] = [];
  for (const child of changed.children().filter(isKept)) {
    const below = old.get(child.name);
    old.delete(child.name);
    pairs.push({
      path: joinPath(path, child.name),
      base: below,
      changed: child,
      parent: directory,
    });
  }
  const gone = [...old.keys()].sort(compareBytes).map((name) => joinPath(path, name));
  return { gone, pairs };
}

/** No layer can hold a socket: it is as good as absent. */
function isKept(node: TreeNode): boolean {
  return !isSocket(node.stat().mode);
}
