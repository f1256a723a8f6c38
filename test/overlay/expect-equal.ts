// Both worlds compared: whole trees through every door of the overlay, and the inode numbers.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import type { ModelInode } from "./model.js";
import { snapshotModel, snapshotOverlay, snapshotTree } from "./snapshot.js";
import type { Worlds } from "./worlds.js";

/** Every inode shows one number, no number belongs to two inodes, and it never changes. */
function expectNumbers(overlay: Overlay, root: ModelInode): void {
  const owners = new Map<bigint, ModelInode>();
  const walk = (inode: ModelInode, node: Node, path: string): void => {
    const { ino } = overlay.stat(node);
    inode.ino ??= ino;
    strictEqual(ino, inode.ino, `the inode number of "${path}" stays`);
    strictEqual(owners.get(ino) ?? inode, inode, `the inode number of "${path}" is its own`);
    owners.set(ino, inode);
    for (const [name, child] of inode.children) {
      const found = overlay.lookup(node, bytesOf(name) as Name);
      ok(found !== undefined);
      walk(child, found, `${path}/${name}`);
    }
  };
  walk(root, overlay.root, "");
}

/** Fails unless the overlay shows what the model has. */
export function expectEqual(worlds: Worlds): void {
  const links = { links: true };
  const expected = snapshotModel(worlds.root, links);
  deepStrictEqual(snapshotOverlay(worlds.overlay, links), expected);
  deepStrictEqual(snapshotTree(worlds.overlay.tree(), links), expected);
  expectNumbers(worlds.overlay, worlds.root);
}
