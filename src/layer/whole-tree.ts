// A whole tree, or a part of one, as entries of an archive: what export and cp send. Nothing is
// compared; the order is that of diff.ts.

import { joinPath, type LayerPath } from "../path.js";
import { isDirectory, isRegular, isSymlink, type Stat } from "../sys/index.js";
import type { DiffFile } from "./diff.js";
import type { TreeNode } from "./tree.js";

export interface WholeTreeOptions {
  /** The path that the top has in the archive; "" is the root, whose member is "./". */
  readonly as: LayerPath;
  /** Whose the files are to be, instead of their owners'. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** What is mounted within the tree is shown as an empty directory. */
  readonly oneFileSystem?: boolean;
}

interface Waiting {
  readonly path: LayerPath;
  readonly node: TreeNode;
}

/** The tree below `top`, and itself; hard links within it stay together. Throws FsError. */
export function* wholeTree(top: TreeNode, options: WholeTreeOptions): Generator<DiffFile> {
  const firstNames = new Map<string, LayerPath>();
  const { dev } = top.stat();
  // A stack instead of recursion: trees may be deeper than JavaScript's.
  const waiting: Waiting[] = [{ path: options.as, node: top }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, node } = next;
    const stat = node.stat();
    yield entryOf(next, ownedStat(stat, options.owner), firstNames);
    if (!isDirectory(stat.mode)) continue;
    if (options.oneFileSystem === true && stat.dev !== dev) continue;
    for (const child of node.children().reverse()) {
      waiting.push({ path: joinPath(path, child.name), node: child });
    }
  }
}

function ownedStat(stat: Stat, owner: WholeTreeOptions["owner"]): Stat {
  return owner === undefined ? stat : { ...stat, ...owner };
}

function entryOf(
  { path, node }: Waiting,
  stat: Stat,
  firstNames: Map<string, LayerPath>,
): DiffFile {
  const entry = { kind: "entry", path, stat, xattrs: node.xattrs() } as const;
  if (isDirectory(stat.mode)) return entry;
  const key = node.hardlinkKey();
  if (key !== undefined) {
    const first = firstNames.get(key);
    if (first !== undefined) return { ...entry, hardlinkOf: first };
    firstNames.set(key, path);
  }
  if (isSymlink(stat.mode)) return { ...entry, target: node.readlink() };
  return isRegular(stat.mode) ? { ...entry, content: () => node.open() } : entry;
}
