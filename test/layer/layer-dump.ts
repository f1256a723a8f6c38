// A whole layer as plain values, read through the Layer interface only: to compare two kinds of
// layers, or one before and after a remount. Times are left out: no two disks tell the same.

import { type Layer, type LayerNode, WHITEOUT } from "../../src/layer/index.js";
import { joinPath, type LayerPath, ROOT_PATH } from "../../src/path.js";
import { isDirectory, isRegular, isSymlink, O_RDONLY, type Stat } from "../../src/sys/index.js";

/** What a node shows besides times, inode numbers and how much room it takes. */
export function attributesOf(stat: Stat): Record<string, unknown> {
  const { mode, uid, gid, rdevMajor, rdevMinor } = stat;
  const shown = { mode: mode.toString(8), uid, gid, rdev: `${rdevMajor}:${rdevMinor}` };
  return isDirectory(mode) ? shown : { ...shown, nlink: stat.nlink, sizeBytes: stat.sizeBytes };
}

/** The content of a regular file. */
export function contentOf(layer: Layer, node: LayerNode): Buffer {
  const file = layer.open(node, O_RDONLY);
  try {
    const content = Buffer.alloc(file.stat().sizeBytes);
    file.read(content, 0, content.length, 0);
    return content;
  } finally {
    file.close();
  }
}

/** Every path of the layer; "whiteout" for whiteouts. Names of one file share `firstName`. */
export function dumpLayer(layer: Layer): Record<string, unknown> {
  const dump: Record<string, unknown> = {};
  const firstNames = new Map<bigint, string>();
  const visit = (node: LayerNode, path: LayerPath): void => {
    const stat = layer.stat(node);
    const firstName = firstNames.get(stat.ino) ?? path;
    firstNames.set(stat.ino, firstName);
    const { opaque, redirect, originIno } = layer.marks(node);
    dump[path] = {
      ...attributesOf(stat),
      ...{ opaque, redirect, originIno, firstName },
      xattrs: layer
        .listxattr(node)
        .sort()
        .map((name) => `${name}=${layer.getxattr(node, name)?.toString("latin1")}`),
      target: isSymlink(stat.mode) ? layer.readlink(node) : undefined,
      content: isRegular(stat.mode) ? contentOf(layer, node).toString("latin1") : undefined,
    };
    if (!isDirectory(stat.mode)) return;
    const entries = layer.readdir(node).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const { name, whiteout } of entries) {
      const below = joinPath(path, name);
      const found = layer.lookup(node, name);
      if (found === WHITEOUT || found === undefined) {
        dump[below] = found === WHITEOUT && whiteout ? "whiteout" : "listed, but not there";
      } else visit(found, below);
    }
  };
  visit(layer.root, ROOT_PATH);
  return dump;
}
