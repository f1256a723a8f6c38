// A program for tests, run as another user: applies the archive on its stdin to the directory
// argv[2] with recorded owners and prints what the tree then shows, and what is on the disk.

import { lstatSync } from "node:fs";
import { join } from "node:path";
import { applyTar } from "../../src/layer/apply.js";
import { directoryTree } from "../../src/layer/directory-tree.js";
import type { TreeNode } from "../../src/layer/tree.js";

const target = process.argv[2] ?? "";
await applyTar(process.stdin, target, { ownership: "override", xattrPrefix: "user" });

function shown(node: TreeNode): string {
  const { mode, uid, gid, rdevMajor, rdevMinor } = node.stat();
  return `${mode.toString(8)} ${uid}:${gid} ${rdevMajor},${rdevMinor} ${node.xattrs().size}`;
}

using tree = directoryTree(target, { ownership: "override" });
const found: Record<string, string> = { "": shown(tree) };
for (const node of tree.children()) {
  const { mode } = lstatSync(join(target, node.name));
  found[node.name] = `${shown(node)} on disk ${mode.toString(8)}`;
}
process.stdout.write(JSON.stringify(found));
