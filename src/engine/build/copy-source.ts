// The sources of COPY and ADD: paths and wildcards resolved in the context or in a stage, what is
// ignored left out. Nothing is read here but directories.

import { posix } from "node:path";
import {
  globExpression,
  hasWildcard,
  type IgnoreResult,
  IgnoreRules,
  SyntaxFault,
} from "../../dockerfile/index.js";
import type { FindableNode } from "../../layer/index.js";
import {
  baseOf,
  bytesOf,
  componentsOf,
  joinPath,
  type LayerPath,
  type Name,
  ROOT_PATH,
  textOf,
} from "../../path.js";
import { isDirectory, isSocket } from "../../sys/index.js";
import { findPath } from "./find-path.js";

/** Where sources are looked for. */
export interface SourceRoot {
  readonly tree: FindableNode;
  /** The build's context: nothing leads out of it, and .dockerignore counts. */
  readonly context: { readonly ignore: IgnoreRules } | undefined;
  /** For messages: "build context", `stage "build"`. */
  readonly title: string;
}

/** A file or directory to be copied, with all that comes along. */
export interface SourceEntry {
  /** The root's is empty. */
  readonly name: Name;
  /** In its root, without symlinks. */
  readonly path: LayerPath;
  readonly node: FindableNode;
  /** Of a directory only, sorted by bytes. */
  readonly children: readonly SourceEntry[] | undefined;
}

/** One of the sources that an instruction means. */
export interface CopySource {
  readonly entry: SourceEntry;
  /** With --parents: the directories that are kept above it, outermost first. */
  readonly parents: readonly SourceEntry[];
}

export interface SelectOptions {
  readonly parents: boolean;
  readonly exclude: readonly string[];
}

/**
 * All that the sources mean, in order. Throws SyntaxFault in docker's words when one means nothing,
 * or leads out of the context; FsError.
 */
export function selectSources(
  root: SourceRoot,
  sources: readonly string[],
  options: SelectOptions,
): CopySource[] {
  const selection = new Selection(root, options);
  return sources.flatMap((source) => selection.select(source));
}

class Selection {
  readonly #root: SourceRoot;
  readonly #exclude: IgnoreRules;
  readonly #ignore: IgnoreRules;
  readonly #parents: boolean;

  constructor(root: SourceRoot, options: SelectOptions) {
    this.#root = root;
    this.#ignore = root.context?.ignore ?? IgnoreRules.of([]);
    this.#exclude = IgnoreRules.of(options.exclude);
    this.#parents = options.parents;
  }

  select(source: string): CopySource[] {
    // A path from the root is one from the context's root.
    const kept = keptParents(source);
    const paths = hasWildcard(source) ? this.#expand(source) : [this.#resolve(source)];
    const found = paths.flatMap((path) => {
      const entry = this.#entryAt(path);
      if (entry === undefined) return [];
      return [{ entry, parents: this.#parents ? this.#parentsOf(path, kept) : [] }];
    });
    if (found.length === 0) throw this.#notFound(source);
    return found;
  }

  #resolve(source: string): LayerPath {
    const outside = this.#root.context === undefined ? "cut" : "refuse";
    const { path, node } = findPath(this.#root.tree, bytesOf(source), {
      followLast: true,
      outside,
    });
    if (node === undefined) throw this.#notFound(source);
    return path;
  }

  /** Wildcards, one name after the other; the names before the first are resolved as a path. */
  #expand(source: string): LayerPath[] {
    const parts = source.split("/").filter((part) => part !== "" && part !== ".");
    const first = parts.findIndex(hasWildcard);
    const start = this.#resolve(parts.slice(0, first).join("/"));
    let found = [start];
    for (const part of parts.slice(first)) {
      if (part === "..") throw new SyntaxFault(`invalid path: ${source}: ".." behind a wildcard`);
      found = found.flatMap((path) => this.#matching(path, part));
    }
    return [...new Set(found)];
  }

  #matching(directory: LayerPath, part: string): LayerPath[] {
    if (part === "**" && this.#parents) return this.#below(directory);
    const node = this.#nodeAt(directory);
    if (node === undefined || !isDirectory(node.stat().mode)) return [];
    const expression = globExpression(part, { doubleStar: false });
    return node
      .children()
      .filter(({ name }) => expression.test(textOf(name)))
      .map(({ name }) => joinPath(directory, name));
  }

  /** The directory and all directories below it. */
  #below(directory: LayerPath): LayerPath[] {
    const found: LayerPath[] = [];
    const waiting = [directory];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const node = this.#nodeAt(path);
      if (node === undefined || !isDirectory(node.stat().mode)) continue;
      found.push(path);
      for (const child of node.children()) waiting.push(joinPath(path, child.name));
    }
    return found.sort();
  }

  #nodeAt(path: LayerPath): FindableNode | undefined {
    return findPath(this.#root.tree, path, { followLast: false, outside: "cut" }).node;
  }

  /** undefined when all of it is ignored or excluded. */
  #entryAt(path: LayerPath): SourceEntry | undefined {
    const node = this.#nodeAt(path);
    if (node === undefined) return undefined;
    let judged: IgnoreResult | undefined;
    let at = ROOT_PATH;
    for (const name of componentsOf(path)) {
      at = joinPath(at, name);
      judged = this.#ignore.judge(textOf(at), judged);
    }
    const isTree = isDirectory(node.stat().mode);
    // What is excluded is told below the source; a file by its own name.
    const name = path === ROOT_PATH ? (ROOT_PATH as unknown as Name) : baseOf(path);
    const excluded = isTree ? undefined : this.#exclude.judge(textOf(name), undefined);
    return this.#collect({ name, path, node }, judged, ROOT_PATH, excluded);
  }

  #collect(
    at: Omit<SourceEntry, "children">,
    ignored: IgnoreResult | undefined,
    below: LayerPath,
    excluded: IgnoreResult | undefined,
  ): SourceEntry | undefined {
    const { mode } = at.node.stat();
    const isOut = ignored?.ignored === true || excluded?.ignored === true;
    if (isSocket(mode)) return undefined;
    if (!isDirectory(mode)) return isOut ? undefined : { ...at, children: undefined };
    if (ignored?.ignored === true && !this.#ignore.mayBringBackBelow(textOf(at.path))) {
      return undefined;
    }
    if (excluded?.ignored === true && !this.#exclude.mayBringBackBelow(textOf(below))) {
      return undefined;
    }
    const children = at.node.children().flatMap((node) => {
      const path = joinPath(at.path, node.name);
      const inner = joinPath(below, node.name);
      const child = this.#collect(
        { name: node.name, path, node },
        this.#ignore.isEmpty ? undefined : this.#ignore.judge(textOf(path), ignored),
        inner,
        this.#exclude.isEmpty ? undefined : this.#exclude.judge(textOf(inner), excluded),
      );
      return child === undefined ? [] : [child];
    });
    return isOut && children.length === 0 ? undefined : { ...at, children };
  }

  #parentsOf(path: LayerPath, kept: number): SourceEntry[] {
    const names = componentsOf(path).slice(0, -1);
    const parents: SourceEntry[] = [];
    let at = ROOT_PATH;
    for (const [n, name] of names.entries()) {
      at = joinPath(at, name);
      const node = this.#nodeAt(at);
      if (n >= kept && node !== undefined) parents.push({ name, path: at, node, children: [] });
    }
    return parents;
  }

  #notFound(source: string): SyntaxFault {
    const { context, title } = this.#root;
    if (context === undefined) {
      return new SyntaxFault(`"${posix.join("/", source)}": not found in ${title}`);
    }
    return new SyntaxFault(
      `file not found in build context or excluded by .dockerignore: stat ${source.replace(/^\/+/, "")}: file does not exist`,
    );
  }
}

/** `a/./b`: how many names stand before the pivot, which --parents drops. */
function keptParents(source: string): number {
  const pivot = source.indexOf("/./");
  if (pivot < 0) return 0;
  return source
    .slice(0, pivot)
    .split("/")
    .filter((part) => part !== "" && part !== ".").length;
}
