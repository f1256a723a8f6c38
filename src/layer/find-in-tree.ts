// What a path means inside a tree, as a process whose root that tree is would see it: symlinks are
// followed in text and never lead out.

import { errno, FsError } from "../errors.js";
import {
  type ByteString,
  joinPath,
  type LayerPath,
  type Name,
  ROOT_PATH,
  textOf,
} from "../path.js";
import { isDirectory, isSymlink } from "../sys/index.js";
import type { TreeNode } from "./tree.js";

/** A node by its path without symlinks; `node` is undefined where only the parent exists. */
export interface FoundNode {
  readonly path: LayerPath;
  readonly node: TreeNode | undefined;
}

/** As many as the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Walks `path` (".", ".." and repeated slashes mean what they mean to the kernel). `follow`: also a
 * symlink at the end. undefined when a directory on the way is missing. Throws FsError ELOOP.
 */
export function findInTree(
  root: TreeNode,
  path: ByteString,
  options: { readonly follow: boolean },
): FoundNode | undefined {
  const waiting = path.split("/").reverse();
  const above: FoundNode[] = [];
  let at: FoundNode = { path: ROOT_PATH, node: root };
  let links = 0;
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part === "" || part === ".") continue;
    if (at.node === undefined || !isDirectory(at.node.stat().mode)) return undefined;
    if (part === "..") {
      at = above.pop() ?? at;
      continue;
    }
    const node = childOf(at.node, part as Name);
    const isLast = waiting.every((rest) => rest === "");
    if (node !== undefined && isSymlink(node.stat().mode) && !(isLast && !options.follow)) {
      links += 1;
      if (links > MOST_LINKS) throw new FsError(errno.ELOOP, "open", textOf(path));
      const target = node.readlink();
      if (target.startsWith("/")) {
        at = { path: ROOT_PATH, node: root };
        above.length = 0;
      }
      waiting.push(...target.split("/").reverse());
      continue;
    }
    above.push(at);
    at = { path: joinPath(at.path, part as Name), node };
  }
  return at;
}

function childOf(directory: TreeNode, name: Name): TreeNode | undefined {
  return directory.children().find((child) => child.name === name);
}
