// Finding the partial files that a former mount left: a walk over the upper, a name at a time, which
// goes on while the tree is used.

import { isFsError } from "../errors.js";
import type { Name } from "../path.js";
import { DT_DIR, DT_REG } from "../sys/index.js";
import { ownBlocks } from "./data-place.js";
import { layerOf } from "./layer-of.js";
import type { Node } from "./node.js";
import type { Union } from "./union.js";

/** Gives each partial file, and undefined for every other name. Names that can't be read are skipped. */
export function* findPartial(union: Union): Generator<Node | undefined, undefined> {
  const directories: Node[] = [union.nodes.root];
  union.nodes.reference(union.nodes.root);
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    for (const { name, type } of namesIn(union, next)) {
      const node = type === DT_DIR || type === DT_REG ? childOf(union, next, name) : undefined;
      if (node === undefined || !union.isUpper(node)) yield undefined;
      else if (node.isDirectory) {
        union.nodes.reference(node);
        directories.push(node);
        yield undefined;
      } else yield isPartial(union, node) ? node : undefined;
    }
    union.nodes.forget(next, 1);
  }
  return undefined;
}

function namesIn(union: Union, directory: Node): readonly { name: Name; type: number }[] {
  if (directory.unlinked || !union.isUpper(directory)) return [];
  return skipped(() => layerOf(union, directory).readdir(directory.inode)) ?? [];
}

function childOf(union: Union, directory: Node, name: Name): Node | undefined {
  return directory.unlinked ? undefined : skipped(() => union.nodes.child(directory, name));
}

function isPartial(union: Union, node: Node): boolean {
  return skipped(() => ownBlocks(union, node)) !== undefined;
}

function skipped<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!isFsError(error)) throw error;
    return undefined;
  }
}
