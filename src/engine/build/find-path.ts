// A path in a tree, with the symlinks on its way resolved within that tree.

import { SyntaxFault } from "../../dockerfile/index.js";
import type { FindableNode } from "../../layer/index.js";
import {
  type ByteString,
  componentsOf,
  isName,
  type LayerPath,
  type Name,
  textOf,
} from "../../path.js";
import { isDirectory, isSymlink } from "../../sys/index.js";

/** Where a path leads. */
export interface FoundPath {
  /** Without symlinks; what is missing at the end is in it, too. */
  readonly path: LayerPath;
  /** undefined when nothing is there. */
  readonly node: FindableNode | undefined;
}

export interface FindOptions {
  /** Whether a symlink at the very end is followed. */
  readonly followLast: boolean;
  /**
   * What leads out of the tree: "cut" takes `..` of the root for the root, and absolute targets
   * for ones from the root, as a root directory is; "refuse" throws.
   */
  readonly outside: "cut" | "refuse";
}

/** As many as the kernel follows (path_resolution(7)). */
const LINK_LIMIT = 40;

/** Throws SyntaxFault in docker's words, FsError. */
export function findPath(root: FindableNode, path: ByteString, options: FindOptions): FoundPath {
  const waiting = partsOf(path);
  const way: { readonly name: Name; readonly node: FindableNode | undefined }[] = [];
  let links = 0;
  for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    if (part === "..") {
      if (way.pop() === undefined && options.outside === "refuse") throw outside(path);
      continue;
    }
    const at = way.length === 0 ? root : way.at(-1)?.node;
    const node = childOf(at, part);
    if (node === undefined || !isSymlink(node.stat().mode)) {
      way.push({ name: part as Name, node });
      continue;
    }
    if (waiting.length === 0 && !options.followLast) {
      way.push({ name: part as Name, node });
      continue;
    }
    links += 1;
    if (links > LINK_LIMIT) throw new SyntaxFault(`too many links in path: ${textOf(path)}`);
    const target = node.readlink();
    if (target.startsWith("/")) {
      if (options.outside === "refuse") throw outside(path, target);
      way.length = 0;
    }
    waiting.unshift(...partsOf(target));
  }
  return {
    path: way.map(({ name }) => name).join("/") as LayerPath,
    node: way.length === 0 ? root : way.at(-1)?.node,
  };
}

/** The names of a path, `..` among them. */
export function partsOf(path: ByteString): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** The node of a path that has no symlinks and no `..`. */
export function nodeAt(root: FindableNode, path: LayerPath): FindableNode | undefined {
  let node: FindableNode | undefined = root;
  for (const name of componentsOf(path)) node = childOf(node, name);
  return node;
}

function childOf(node: FindableNode | undefined, name: string): FindableNode | undefined {
  if (node === undefined || !isName(name) || !isDirectory(node.stat().mode)) return undefined;
  return node.child(name);
}

function outside(path: ByteString, target?: ByteString): SyntaxFault {
  const link = target === undefined ? "" : `, which is a link to ${textOf(target)}`;
  return new SyntaxFault(`forbidden path outside the build context: ${textOf(path)}${link}`);
}
