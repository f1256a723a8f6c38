// Which names of a tree are names of one inode: hard links change how a tree is copied, compared
// and written, and they are seen only when the whole tree has been.

import { joinPath, type LayerPath, ROOT_PATH } from "../path.js";
import { isDirectory } from "../sys/index.js";
import type { TreeNode } from "./tree.js";

/** For each path that shares its inode with others of the tree: all of them, in the tree's order. */
export type LinkGroups = ReadonlyMap<LayerPath, readonly LayerPath[]>;

/** Walks the whole tree once. Names outside the tree do not count. Throws FsError. */
export function linkGroups(root: TreeNode): LinkGroups {
  const byKey = new Map<string, LayerPath[]>();
  const waiting: { path: LayerPath; node: TreeNode }[] = [{ path: ROOT_PATH, node: root }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, node } = next;
    if (isDirectory(node.stat().mode)) {
      // Last first: the stack turns them round.
      for (const child of node.children().reverse()) {
        waiting.push({ path: joinPath(path, child.name), node: child });
      }
      continue;
    }
    const key = node.hardlinkKey();
    if (key === undefined) continue;
    const paths = byKey.get(key);
    if (paths === undefined) byKey.set(key, [path]);
    else paths.push(path);
  }
  const groups = new Map<LayerPath, readonly LayerPath[]>();
  for (const paths of byKey.values()) {
    if (paths.length > 1) for (const path of paths) groups.set(path, paths);
  }
  return groups;
}

/** True when the path has the same other names in both trees. */
export function sameLinks(path: LayerPath, a: LinkGroups, b: LinkGroups): boolean {
  const left = a.get(path);
  const right = b.get(path);
  if (left === undefined || right === undefined) return left === right;
  return left.length === right.length && left.every((name, index) => name === right[index]);
}
