// A whole layer as a diff: every file, whiteout and opaque mark of it, in the order of diff.ts.
// For layers that stand by themselves: one whose directories or contents lie elsewhere (redirect,
// metacopy) needs its stack, and that is overlay/'s.

import { EngineError } from "../errors.js";
import {
  type ByteString,
  compareBytes,
  joinPath,
  type LayerPath,
  ROOT_PATH,
  textOf,
} from "../path.js";
import { isDirectory, isRegular, isSymlink, O_RDONLY } from "../sys/index.js";
import { NO_XATTRS } from "../tar/entry.js";
import type { DiffEntry, DiffFile } from "./diff.js";
import { type Layer, type LayerNode, WHITEOUT } from "./layer.js";

interface Waiting {
  readonly path: LayerPath;
  readonly node: LayerNode;
}

/**
 * What the layer says, its root's attributes first. Files with several names in the layer have
 * their content at the first. The layer must not change meanwhile. Throws FsError, and EngineError
 * UNSUPPORTED for a redirect or a file without its data.
 */
export function* diffDirectory(layer: Layer): Generator<DiffEntry, void, undefined> {
  const firstNames = new Map<bigint, LayerPath>();
  // A stack instead of recursion: trees may be deeper than JavaScript's.
  const waiting: Waiting[] = [{ path: ROOT_PATH, node: layer.root }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, node } = next;
    yield fileEntry(layer, next, firstNames);
    if (!isDirectory(node.stat.mode)) continue;
    if (layer.marks(node).opaque) yield { kind: "opaque", path };
    const children: Waiting[] = [];
    const names = layer.readdir(node).sort((a, b) => compareBytes(a.name, b.name));
    for (const { name } of names) {
      const child = joinPath(path, name);
      const found = layer.lookup(node, name);
      if (found === WHITEOUT) yield { kind: "whiteout", path: child };
      else if (found !== undefined) children.push({ path: child, node: found });
    }
    for (const child of children.reverse()) waiting.push(child);
  }
}

function fileEntry(
  layer: Layer,
  { path, node }: Waiting,
  firstNames: Map<bigint, LayerPath>,
): DiffFile {
  const { stat } = node;
  const xattrs = xattrsOf(layer, node);
  if (isDirectory(stat.mode)) {
    if (layer.marks(node).redirect !== undefined) throw incomplete(path, "lies elsewhere");
    return { kind: "entry", path, stat, xattrs };
  }
  if (stat.nlink > 1) {
    const first = firstNames.get(stat.ino);
    if (first !== undefined) return { kind: "entry", path, stat, xattrs, hardlinkOf: first };
    firstNames.set(stat.ino, path);
  }
  if (isSymlink(stat.mode))
    return { kind: "entry", path, stat, xattrs, target: layer.readlink(node) };
  if (!isRegular(stat.mode)) return { kind: "entry", path, stat, xattrs };
  if (layer.marks(node).metacopy) throw incomplete(path, "has its data in another layer");
  return { kind: "entry", path, stat, xattrs, content: () => layer.open(node, O_RDONLY) };
}

function xattrsOf(layer: Layer, node: LayerNode): ReadonlyMap<ByteString, Uint8Array> {
  const names = layer.listxattr(node);
  if (names.length === 0) return NO_XATTRS;
  const xattrs = new Map<ByteString, Uint8Array>();
  for (const name of names) {
    const value = layer.getxattr(node, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return xattrs;
}

function incomplete(path: LayerPath, state: string): EngineError {
  return new EngineError("UNSUPPORTED", `Cannot write "${textOf(path)}" by itself: it ${state}`);
}
