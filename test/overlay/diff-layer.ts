// A stream of changes as a memory layer, without archives: entry by entry, in the order given.

import type { DiffEntry, DiffFile } from "../../src/layer/diff.js";
import {
  type LayerNode,
  type MemoryLayer,
  type MemoryUpper,
  memoryLayer,
  type NewInode,
} from "../../src/layer/index.js";
import { baseOf, type LayerPath, parentOf } from "../../src/path.js";
import { O_RDWR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../../src/sys/index.js";

/** The layer that the changes say. Every directory they name comes before what lies in it. */
export function layerOfChanges(changes: Iterable<DiffEntry>): MemoryLayer {
  const upper = memoryLayer();
  const nodes = new Map<LayerPath, LayerNode>([["" as LayerPath, upper.root]]);
  const times: (() => void)[] = [];
  for (const change of changes) {
    const parent = nodes.get(parentOf(change.path));
    if (parent === undefined) throw new Error(`no directory for "${change.path}"`);
    const name = baseOf(change.path);
    if (change.kind === "whiteout") upper.remove(parent, name, "absent", true);
    else if (change.kind === "opaque")
      upper.mark(nodes.get(change.path) ?? parent, { opaque: true });
    else if (change.hardlinkOf !== undefined) {
      const first = nodes.get(change.hardlinkOf);
      if (first === undefined) throw new Error(`no first name "${change.hardlinkOf}"`);
      upper.link(first, parent, name, "absent");
    } else {
      const node =
        change.path === "" ? upper.root : upper.create(parent, name, inodeOf(change), "absent");
      nodes.set(change.path, node);
      times.push(setAll(upper, node, change));
    }
  }
  for (const set of times) set();
  return upper.freeze();
}

const TYPES: Record<number, NewInode["type"]> = {
  [S_IFDIR]: "directory",
  [S_IFREG]: "file",
  [S_IFLNK]: "symlink",
  [S_IFIFO]: "fifo",
};

function inodeOf({ stat, target }: DiffFile): NewInode {
  const type = TYPES[stat.mode & S_IFMT];
  if (type === undefined) throw new Error("a type that the tests do not make");
  const inode = { type, mode: 0, umask: 0, uid: 0, gid: 0 };
  return target === undefined ? inode : { ...inode, target };
}

function setAll(
  upper: MemoryUpper,
  node: LayerNode,
  { stat, xattrs, content }: DiffFile,
): () => void {
  const source = content?.();
  if (source !== undefined) {
    const bytes = Buffer.alloc(stat.sizeBytes);
    const file = upper.open(node, O_RDWR);
    file.write(bytes, 0, source.read(bytes, 0, bytes.length, 0), 0);
    file.close();
    source.close();
  }
  for (const [name, value] of xattrs) upper.setxattr(node, name, value, 0);
  upper.setattr(node, { uid: stat.uid, gid: stat.gid });
  if ((stat.mode & S_IFMT) !== S_IFLNK) upper.setattr(node, { mode: stat.mode & 0o7777 });
  return () =>
    upper.setattr(node, {
      atime: { sec: stat.atimeSec, nsec: stat.atimeNsec },
      mtime: { sec: stat.mtimeSec, nsec: stat.mtimeNsec },
    });
}
