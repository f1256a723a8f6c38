// rename(2) as a table of cases and a plan. Whatever moves is first brought into the upper, at its
// old place, together with a mark that says where its lower parts are (or that it has none); all
// that is invisible. Then one atomic rename of the upper is the change.

import { errno, FsError } from "../errors.js";
import type { NewInode, Standing } from "../layer/index.js";
import { type ByteString, isName, type Name, textOf } from "../path.js";
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from "../sys/index.js";
import { lowerPathOf, planCopyUp, redirectIn } from "./copy-up.js";
import { planWithData } from "./data-redirect.js";
import { planNameInUpper } from "./name-in-upper.js";
import type { Node } from "./node.js";
import { requireAddable, requireRemovable } from "./protection.js";
import { isEmptyDirectory } from "./readdir.js";
import { planForgetName, unnameRemoved } from "./remove.js";
import { Plan } from "./step.js";
import { requireChild, type Union } from "./union.js";

/** One end of a rename: a name, and what the merged tree has there. */
interface Place<N extends Node | undefined = Node> {
  readonly directory: Node;
  readonly name: Name;
  readonly node: N;
}

/** Who gets what is made on the way. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
}

const KNOWN = RENAME_EXCHANGE | RENAME_NOREPLACE | RENAME_WHITEOUT;

/** What RENAME_WHITEOUT leaves (vfs_whiteout): for us a device like others, for a union inside ours a whiteout. */
const WHITEOUT_DEVICE = { type: "char", mode: 0, umask: 0, rdevMajor: 0, rdevMinor: 0 } as const;

/**
 * rename(2), renameat2(2) with NOREPLACE, EXCHANGE and WHITEOUT. An empty plan when both names are one file.
 * Throws FsError ENOENT, EEXIST, EINVAL (into itself), EISDIR, ENOTDIR, ENOTEMPTY, EXDEV (redirects
 * are not wanted), EPERM (the upper can't have the device that RENAME_WHITEOUT leaves).
 */
export function planRename(
  union: Union,
  oldDirectory: Node,
  oldName: Name,
  newDirectory: Node,
  newName: Name,
  flags: number,
  caller: Caller,
): Plan {
  union.writable("rename");
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  const noReplace = (flags & RENAME_NOREPLACE) !== 0;
  const leaves = (flags & RENAME_WHITEOUT) !== 0;
  if ((flags & ~KNOWN) !== 0 || (exchange && (noReplace || leaves))) {
    throw refusal(errno.EINVAL, oldName);
  }
  const source = requireChild(union, oldDirectory, oldName, "rename");
  const target = union.nodes.child(newDirectory, newName);
  if (newDirectory.unlinked) throw refusal(errno.ENOENT, newName);
  if (!isName(newName)) throw refusal(errno.EINVAL, newName);
  if (target !== undefined && noReplace) throw refusal(errno.EEXIST, newName);
  if (isWithin(newDirectory, source)) throw refusal(errno.EINVAL, oldName);
  const from: Place = { directory: oldDirectory, name: oldName, node: source };
  const to: Place<Node | undefined> = { directory: newDirectory, name: newName, node: target };
  if (exchange) {
    if (target === undefined) throw refusal(errno.ENOENT, newName);
    if (isWithin(oldDirectory, target)) throw refusal(errno.EINVAL, newName);
    if (source === target) return new Plan();
    requireRemovable(union, oldDirectory, source, "rename");
    requireRemovable(union, newDirectory, target, "rename");
    return planExchange(union, from, { ...to, node: target });
  }
  if (source === target) return new Plan();
  requireRemovable(union, oldDirectory, source, "rename");
  if (target === undefined) requireAddable(union, newDirectory, "rename");
  else requireRemovable(union, newDirectory, target, "rename");
  if (target !== undefined) requireReplaceable(union, source, target, oldDirectory, newName);
  return planMove(union, from, to, leaves ? { ...WHITEOUT_DEVICE, ...caller } : undefined);
}

function refusal(number: number, name: Name): FsError {
  return new FsError(number, "rename", textOf(name));
}

/** True when a directory is, or lies below, `ancestor`. */
function isWithin(directory: Node, ancestor: Node): boolean {
  for (let at: Node | undefined = directory; at !== undefined; at = at.parent) {
    if (at === ancestor) return true;
  }
  return false;
}

/** rename(2), ERRORS: what may take whose place. */
function requireReplaceable(
  union: Union,
  source: Node,
  target: Node,
  oldDirectory: Node,
  newName: Name,
): void {
  if (isWithin(oldDirectory, target)) throw refusal(errno.ENOTEMPTY, newName);
  if (target.isDirectory && !source.isDirectory) throw refusal(errno.EISDIR, newName);
  if (!target.isDirectory && source.isDirectory) throw refusal(errno.ENOTDIR, newName);
  if (target.isDirectory && !isEmptyDirectory(union, target)) {
    throw refusal(errno.ENOTEMPTY, newName);
  }
}

function planMove(
  union: Union,
  from: Place,
  to: Place<Node | undefined>,
  leaveDevice: NewInode | undefined,
): Plan {
  const upper = union.writable("rename");
  const plan = new Plan();
  planCopyUp(union, from.directory, plan);
  planCopyUp(union, to.directory, plan);
  planFixate(union, from, to, plan);
  const over = union.standing(to.directory, to.name, to.node);
  const leaveWhiteout = union.showsBelow(from.directory, from.name);
  const source = from.node;
  const target = to.node;
  plan.add("rename", () => {
    const how = { over, leaveWhiteout, leaveDevice, exchange: false };
    upper.rename(from.directory.inode, from.name, to.directory.inode, to.name, how);
    if (target !== undefined) unnameRemoved(union, target, to.directory, to.name, over);
    union.nodes.unname(source, from.directory, from.name, false);
    union.nodes.name(source, to.directory, to.name);
  });
  if (target !== undefined) planForgetName(union, target, over, plan);
  return plan;
}

function planExchange(union: Union, one: Place, other: Place): Plan {
  const upper = union.writable("rename");
  const plan = new Plan();
  planCopyUp(union, one.directory, plan);
  planCopyUp(union, other.directory, plan);
  // A directory first: a file's other name may lie in it, and would bring it into the upper without its redirect.
  const [first, second] = other.node.isDirectory ? [other, one] : [one, other];
  planFixate(union, first, second, plan);
  planFixate(union, second, first, plan);
  plan.add("exchange", () => {
    const how = { over: "absent" as Standing, leaveWhiteout: false, exchange: true };
    upper.rename(one.directory.inode, one.name, other.directory.inode, other.name, how);
    union.nodes.unname(one.node, one.directory, one.name, false);
    union.nodes.unname(other.node, other.directory, other.name, false);
    union.nodes.name(one.node, other.directory, other.name);
    union.nodes.name(other.node, one.directory, one.name);
  });
  return plan;
}

/**
 * Makes what is to move independent of its place: in the upper under this very name, and a
 * directory with its lower parts told by a redirect, or none at all.
 */
function planFixate(union: Union, from: Place, to: Place<Node | undefined>, plan: Plan): void {
  const { node } = from;
  if (!node.isDirectory) {
    planWithData(union, node, plan);
    planNameInUpper(union, from, plan);
    return;
  }
  const hasLower = node.lower.length > 0 || !union.isUpper(node);
  if (hasLower) planRedirect(union, from, plan);
  else if (union.showsBelow(to.directory, to.name)) {
    const upper = union.writable("rename");
    plan.add("mark opaque", () => upper.mark(node.inode, { opaque: true }));
  }
}

/** overlayfs.rst, "redirect_dir": an absolute path from the root of the layers below. */
function planRedirect(union: Union, from: Place, plan: Plan): void {
  const { node } = from;
  if (redirectIn(union, node)?.startsWith("/") === true) return;
  if (!union.redirects) throw refusal(errno.EXDEV, from.name);
  const redirect = `/${lowerPathOf(union, node)}` as ByteString;
  if (!union.isUpper(node)) {
    planCopyUp(union, node, plan, { redirect });
    return;
  }
  const upper = union.writable("rename");
  plan.add("mark redirect", () => {
    upper.mark(node.inode, { redirect });
    node.redirect = redirect;
  });
}
