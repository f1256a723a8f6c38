// The upper as a diff that stands by itself: what a commit writes. The encodings that only mean
// something to this upper are resolved: a moved directory is told with its whole content, all names
// of an inode that is told are told, metadata-only files have their data.
// Law: merged(stack + layer(changes)) = merged(stack, upper).

import type { DiffEntry, DiffFile } from "../layer/diff.js";
import { xattrsOf } from "../layer/xattrs.js";
import {
  type ByteString,
  baseOf,
  compareBytes,
  joinPath,
  type LayerPath,
  type Name,
  parentOf,
  ROOT_PATH,
} from "../path.js";
import { isDirectory, isRegular, isSymlink, type Stat } from "../sys/index.js";
import { layerOf } from "./layer-of.js";
import { childrenOf, identityOf, nodesOf, openContent, statOf } from "./merged-tree.js";
import type { Node, Part } from "./node.js";
import type { Union } from "./union.js";

/** The difference between the merged tree and what it would be without the upper. */
export function* changesOf(union: Union): Iterable<DiffEntry> {
  if (union.upper === undefined) return;
  const forced = namesOfToldLinks(union);
  yield* new Walk(union, forced).run();
}

/** Names, by directory, that must be told though no upper directory has them. */
type Forced = Map<LayerPath, Set<Name>>;

/**
 * How a directory is told. "natural": below its path lie the same lower parts that merge with it,
 * so only the upper's own names are told. "whole": everything is told, nothing merges with it.
 */
type Telling = "natural" | "whole";

/** A file that is to be told, and how its directory is. */
interface Waiting {
  readonly node: Node;
  readonly path: LayerPath;
  readonly parent: Node;
  readonly within: Telling;
}

/** One walk over all that differs. */
class Walk {
  readonly #union: Union;
  readonly #forced: Forced;
  /** First told name of each file with several names. */
  readonly #told = new Map<ByteString, LayerPath>();
  /** Keys of lower inodes that were told but have more names below. */
  readonly split = new Set<ByteString>();

  constructor(union: Union, forced: Forced) {
    this.#union = union;
    this.#forced = forced;
  }

  *run(): Iterable<DiffEntry> {
    const { root } = this.#union.nodes;
    if (rootDiffers(this.#union, root)) yield this.#entry(root, ROOT_PATH);
    // A stack instead of recursion: trees may be deeper than JavaScript's.
    const waiting: Waiting[] = [];
    yield* this.#inside(root, ROOT_PATH, root.lower.length === 0 ? "whole" : "natural", waiting);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { node, path, parent, within } = next;
      yield this.#entry(node, path);
      if (!node.isDirectory) continue;
      const isNatural = within === "natural" && mergesInPlace(this.#union, node, path);
      const hides = within === "natural" && !isNatural;
      if (hides && hidesDirectory(this.#union, parent, node.name)) yield { kind: "opaque", path };
      yield* this.#inside(node, path, isNatural ? "natural" : "whole", waiting);
    }
  }

  /** Tells a directory's whiteouts, and puts what it holds on the stack. */
  *#inside(
    directory: Node,
    path: LayerPath,
    how: Telling,
    waiting: Waiting[],
  ): Iterable<DiffEntry> {
    const union = this.#union;
    let children: Node[];
    if (how === "whole") children = childrenOf(union, directory);
    else {
      const { names, whiteouts } = this.#upperNames(directory, path);
      for (const name of whiteouts) yield { kind: "whiteout", path: joinPath(path, name) };
      children = nodesOf(union, directory, names);
    }
    for (const node of children.reverse()) {
      waiting.push({ node, path: joinPath(path, node.name), parent: directory, within: how });
    }
  }

  #upperNames(directory: Node, path: LayerPath): { names: Set<Name>; whiteouts: Name[] } {
    const union = this.#union;
    const names = new Set(this.#forced.get(path));
    const whiteouts: Name[] = [];
    if (!union.isUpper(directory)) return { names, whiteouts };
    for (const dirent of layerOf(union, directory).readdir(directory.inode)) {
      if (!dirent.whiteout) names.add(dirent.name);
      else if (union.showsBelow(directory, dirent.name)) whiteouts.push(dirent.name);
    }
    return { names, whiteouts: whiteouts.sort(compareBytes) };
  }

  #entry(node: Node, path: LayerPath): DiffFile {
    const union = this.#union;
    const stat = statOf(union, node);
    const entry = {
      kind: "entry",
      path,
      stat,
      xattrs: xattrsOf(layerOf(union, node), node),
    } as const;
    if (node.linkKey !== undefined && node.lowerNames > 0) this.split.add(node.linkKey);
    const first = this.#firstName(node, stat, path);
    if (first !== undefined) return { ...entry, hardlinkOf: first };
    if (isSymlink(node.kind)) {
      return { ...entry, target: layerOf(union, node).readlink(node.inode) };
    }
    if (!isRegular(node.kind) || stat.sizeBytes === 0) return entry;
    return { ...entry, content: () => openContent(union, node) };
  }

  #firstName(node: Node, stat: Stat, path: LayerPath): LayerPath | undefined {
    if (isDirectory(stat.mode) || stat.nlink < 2) return undefined;
    const identity = identityOf(node);
    const first = this.#told.get(identity);
    if (first === undefined) this.#told.set(identity, path);
    return first;
  }
}

/** True when the lower parts that merge with a directory are those of its own path. */
function mergesInPlace(union: Union, node: Node, path: LayerPath): boolean {
  if (!union.isUpper(node)) return true;
  if (node.redirect !== undefined && node.redirect !== `/${path}`) return false;
  return node.lower.length > 0;
}

function hidesDirectory(union: Union, parent: Node, name: Name): boolean {
  return union.showsBelow(parent, name) && isDirectory(union.probe.inode?.stat.mode ?? 0);
}

/** The root is in every layer; it is told when it is not as below. */
function rootDiffers(union: Union, root: Node): boolean {
  const [base] = root.lower;
  if (base === undefined || !union.isUpper(root)) return union.isUpper(root);
  const now = layerOf(union, root).stat(root.inode);
  const before = base.inode.stat;
  return (
    now.mode !== before.mode ||
    now.uid !== before.uid ||
    now.gid !== before.gid ||
    now.mtimeSec !== before.mtimeSec ||
    now.mtimeNsec !== before.mtimeNsec ||
    !sameXattrs(union, root, base)
  );
}

function sameXattrs(union: Union, one: Part, other: Part): boolean {
  const mine = xattrsOf(layerOf(union, one), one);
  const theirs = xattrsOf(layerOf(union, other), other);
  if (mine.size !== theirs.size) return false;
  for (const [name, value] of mine) {
    const counterpart = theirs.get(name);
    if (counterpart === undefined || Buffer.compare(value, counterpart) !== 0) return false;
  }
  return true;
}

/**
 * A lower inode that is told by one name and left below by another would become two. So all names
 * of such inodes are told, with their directories. Finding them takes a walk over the whole tree,
 * which is made only when there are such inodes.
 */
function namesOfToldLinks(union: Union): Forced {
  const forced: Forced = new Map();
  const dry = new Walk(union, forced);
  for (const entry of dry.run()) void entry;
  for (const key of union.links.copies()) dry.split.add(key);
  if (dry.split.size > 0) findNames(union, dry.split, forced);
  return forced;
}

/** Forces all names that lead to one of the inodes. */
function findNames(union: Union, keys: ReadonlySet<ByteString>, forced: Forced): void {
  const waiting: { node: Node; path: LayerPath }[] = [{ node: union.nodes.root, path: ROOT_PATH }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const node of childrenOf(union, next.node)) {
      const path = joinPath(next.path, node.name);
      if (node.isDirectory) waiting.push({ node, path });
      else if (node.linkKey !== undefined && keys.has(node.linkKey)) force(path, forced);
    }
  }
}

/** Adds a name and those of the directories that lead to it. */
function force(path: LayerPath, forced: Forced): void {
  for (let at = path; at !== ROOT_PATH; at = parentOf(at)) {
    const names = forced.get(parentOf(at)) ?? new Set();
    forced.set(parentOf(at), names.add(baseOf(at)));
  }
}
