// Names that go away: unlink and rmdir. A name that a lower layer has leaves a whiteout. Plans
// only, and the bookkeeping of links that rename needs as well.

import { errno, FsError } from "../errors.js";
import type { Standing } from "../layer/index.js";
import { type Name, textOf } from "../path.js";
import { planCopyUp } from "./copy-up.js";
import { rememberData } from "./data-redirect.js";
import type { Node } from "./node.js";
import { requireRemovable } from "./protection.js";
import { isEmptyDirectory } from "./readdir.js";
import { Plan } from "./step.js";
import { requireChild, type Union } from "./union.js";

/** unlink(2). Throws FsError ENOENT, EISDIR. */
export function planUnlink(union: Union, directory: Node, name: Name): Plan {
  union.writable("unlink");
  const node = requireChild(union, directory, name, "unlink");
  if (node.isDirectory) throw new FsError(errno.EISDIR, "unlink", textOf(name));
  return planRemove(union, directory, name, node);
}

/** rmdir(2). What the directory hides does not count. Throws FsError ENOENT, ENOTDIR, ENOTEMPTY. */
export function planRmdir(union: Union, directory: Node, name: Name): Plan {
  union.writable("rmdir");
  const node = requireChild(union, directory, name, "rmdir");
  if (!node.isDirectory) throw new FsError(errno.ENOTDIR, "rmdir", textOf(name));
  if (!isTriedOut(union, directory, name, node) && !isEmptyDirectory(union, node))
    throw new FsError(errno.ENOTEMPTY, "rmdir", textOf(name));
  return planRemove(union, directory, name, node);
}

/** The upper alone knows whether the directory is empty, and refuses to remove it if it is not. */
function isTriedOut(union: Union, directory: Node, name: Name, node: Node): boolean {
  return union.isUpper(node) && node.lower.length === 0 && !union.showsBelow(directory, name);
}

function planRemove(union: Union, directory: Node, name: Name, node: Node): Plan {
  const upper = union.writable("remove");
  requireRemovable(union, directory, node, "remove");
  const standing = union.standing(directory, name, node);
  const leaveWhiteout = union.showsBelow(directory, name);
  // Of a file with several names another inode may stand there.
  const known = union.isUpper(node) && node.linkKey === undefined ? node.inode : undefined;
  const plan = new Plan();
  if (leaveWhiteout) planCopyUp(union, directory, plan);
  plan.add("remove", () => {
    upper.remove(directory.inode, name, standing, leaveWhiteout, known);
    unnameRemoved(union, node, directory, name, standing);
  });
  planForgetName(union, node, standing, plan);
  return plan;
}

/** The table's side of a name's removal; `standing` is what stood in the upper at the name. */
export function unnameRemoved(
  union: Union,
  node: Node,
  directory: Node,
  name: Name,
  standing: Standing,
): void {
  if (node.linkKey !== undefined && standing === "absent") node.lowerNames--;
  rememberData(union, node);
  union.nodes.unname(node, directory, name, isGone(union, node));
}

/** True when no name leads to the inode, after the upper has changed. */
function isGone(union: Union, node: Node): boolean {
  if (node.isDirectory) return true;
  if (node.lowerNames > 0) return false;
  // Never seen with a second name: no need to ask the disk.
  if (!union.isUpper(node) || node.tableKeys === undefined) return true;
  return namesInUpper(union, node) === 0;
}

/** Names of an upper file in the upper: index entries are links, but no names. */
export function namesInUpper(union: Union, node: Node): number {
  const nlink = union.upper?.stat(node.inode).nlink ?? 0;
  return node.linkKey === undefined ? nlink : nlink - 1;
}

/** The index's side of it: one lower name less, or nothing left to find. */
export function planForgetName(union: Union, node: Node, standing: Standing, plan: Plan): void {
  const key = node.linkKey;
  if (key === undefined) return;
  plan.add("forget lower name", () => {
    if (node.unlinked) {
      union.links.remove(key);
      node.linkKey = undefined;
    } else if (standing === "absent") union.links.setLowerNames(key, node.lowerNames);
  });
}
