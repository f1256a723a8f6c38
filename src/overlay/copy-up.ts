// Copy-up: a lower inode gets a copy in the upper, with all its metadata, before it changes. It is
// invisible: content, attributes, inode number, links and the times of the parents stay. Files with
// several names are copied into the hard-link index, directories without their content.

import { errno, FsError } from "../errors.js";
import type { AttrChange, CopyUpSource, LayerNode } from "../layer/index.js";
import { xattrsOf } from "../layer/xattrs.js";
import { type ByteString, type LayerPath, textOf } from "../path.js";
import {
  isRegular,
  isSymlink,
  O_RDONLY,
  PERMISSION_BITS,
  S_IFMT,
  S_ISGID,
  S_ISUID,
  type Stat,
  UTIME_NOW,
  UTIME_OMIT,
} from "../sys/index.js";
import { CAPABILITY } from "./capability.js";
import { openData, ownBlocks } from "./data-place.js";
import { layerOf } from "./layer-of.js";
import { dataHolder } from "./lookup.js";
import { planNameInUpper } from "./name-in-upper.js";
import type { Node } from "./node.js";
import { flagsToCopy } from "./protection.js";
import type { Plan } from "./step.js";
import type { Union } from "./union.js";

/** What a copy is to differ in from its original. */
export interface CopyUpDifference {
  /** Regular files: a change that truncates, made in the same step; what it drops is not copied. */
  readonly change?: AttrChange;
  /** Directories, and files whose data stay below: the mark `redirect`. */
  readonly redirect?: ByteString;
  /** Regular files: data are about to be written, not the metadata alone. */
  readonly writes?: boolean;
  /** Nothing may stay below. */
  readonly whole?: boolean;
}

/** Adds to a plan what brings a node into the upper, its parents first. Nothing for an upper node. */
export function planCopyUp(
  union: Union,
  node: Node,
  plan: Plan,
  difference: CopyUpDifference = {},
): void {
  if (union.isUpper(node)) {
    const isBelow = node.data !== undefined && ownBlocks(union, node) === undefined;
    if (isBelow && difference.writes === true && plan.takesOn(node)) {
      plan.add("begin blocks", () => beginBlocks(union, node));
    }
    return;
  }
  const { parent, linkKey } = node;
  if (linkKey !== undefined && node.lowerNames > 0) {
    if (!plan.takesOn(node)) return;
    plan.add("copy up links", () => copyUpIndexed(union, node, linkKey, difference));
    if (union.namesCopies && parent !== undefined) {
      planCopyUpParents(union, node, plan);
      planNameInUpper(union, { directory: parent, name: node.name, node }, plan);
    }
  } else if (node.isDirectory ? !node.unlinked : parent !== undefined) {
    planCopyUpParents(union, node, plan);
    if (plan.takesOn(node)) plan.add("copy up", () => copyUpNamed(union, node, difference));
  } else if (node.isDirectory) {
    throw new FsError(errno.ENOENT, "copy up", textOf(node.name));
  } else if (plan.takesOn(node)) {
    plan.add("copy up unnamed", () => copyUpUnnamed(union, node, difference));
  }
}

/** A loop, not a recursion: trees may be deeper than the stack. */
export function planCopyUpParents(union: Union, node: Node, plan: Plan): void {
  const lowers: Node[] = [];
  for (let at = node.parent; at !== undefined && !union.isUpper(at); at = at.parent)
    lowers.push(at);
  for (const directory of lowers.reverse()) {
    if (plan.takesOn(directory)) plan.add("copy up", () => copyUpNamed(union, directory, {}));
  }
}

function copyUpNamed(union: Union, node: Node, difference: CopyUpDifference): void {
  const upper = union.writable("copy up");
  const { parent, name } = node;
  if (parent === undefined) throw new FsError(errno.ENOENT, "copy up", textOf(name));
  const copy = withSource(union, node, difference, (source) =>
    upper.copyUp(parent.inode, name, source),
  );
  if (node.isDirectory) {
    node.lower = [{ slot: node.slot, inode: node.inode }, ...node.lower];
    node.redirect = difference.redirect;
  }
  enterCopy(union, node, copy, difference);
}

function copyUpIndexed(
  union: Union,
  node: Node,
  key: ByteString,
  difference: CopyUpDifference,
): void {
  const upper = union.writable("copy up");
  const copy = withSource(union, node, difference, (source) => upper.copyUpIndexed(key, source));
  union.links.copied(key, copy);
  enterCopy(union, node, copy, difference);
}

/** An open file whose last name is gone: the copy lives as long as its node. */
function copyUpUnnamed(union: Union, node: Node, difference: CopyUpDifference): void {
  const upper = union.writable("copy up");
  const key = union.links.orphanKey();
  const copy = withSource(union, node, difference, (source) => upper.copyUpIndexed(key, source));
  node.linkKey = undefined;
  enterCopy(union, node, copy, difference);
  upper.unindex(key);
}

/** The node is the copy now. */
function enterCopy(union: Union, node: Node, copy: LayerNode, difference: CopyUpDifference): void {
  const how = dataOf(union, node, statOfCopy(union.statOf(node), difference.change), difference);
  // The upper may have found it cheaper to copy all.
  const isBelow = how === "stay" || (how === "blocks" && hasOwnBlocks(union, copy));
  const data = isBelow ? dataHolder(union, node) : undefined;
  union.nodes.copiedUp(node, copy, data);
  if (!node.isDirectory) node.redirect = isBelow ? difference.redirect : undefined;
  if (isBelow && how === "blocks") union.filling.add(node);
}

function hasOwnBlocks(union: Union, copy: LayerNode): boolean {
  return union.upper?.ownBlocks(copy) !== undefined;
}

/** Which data of a copy come with it (CopyUpSource.data). */
function dataOf(
  union: Union,
  node: Node,
  stat: Stat,
  difference: CopyUpDifference,
): NonNullable<CopyUpSource["data"]> {
  if (!isRegular(node.kind) || stat.sizeBytes === 0) return "copy";
  if (!union.leavesData || difference.whole === true) return "copy";
  const isFrozen = node.slot >= union.levelSlot;
  // Another's file whose own data lie below it, or one of ours that may be found under another's name.
  if (isFrozen ? node.linkKey !== undefined : node.data !== undefined) return "copy";
  if (losesRightsToWrites(union, node, stat)) return "copy";
  return difference.writes === true || !union.metadataOnly ? "blocks" : "stay";
}

/** Filling it in later would take from it, for a moment, what a crash might not give back. */
function losesRightsToWrites(union: Union, node: Node, stat: Stat): boolean {
  if ((stat.mode & (S_ISUID | S_ISGID)) !== 0) return true;
  return layerOf(union, node).getxattr(node.inode, CAPABILITY) !== undefined;
}

/** A file of metadata only is about to be written. */
function beginBlocks(union: Union, node: Node): void {
  const { data } = node;
  if (data === undefined) return;
  const content = openData(union, data, O_RDONLY);
  try {
    union.writable("write").beginBlocks(node.inode, content);
  } finally {
    content.close();
  }
  node.dataVersion += 1;
  if (hasOwnBlocks(union, node.inode)) union.filling.add(node);
  else node.data = undefined;
}

function withSource<T>(
  union: Union,
  node: Node,
  difference: CopyUpDifference,
  use: (source: CopyUpSource) => T,
): T {
  const layer = layerOf(union, node);
  const { inode } = node;
  const { redirect } = difference;
  const stat = statOfCopy(union.statOf(node), difference.change);
  const data = dataOf(union, node, stat, difference);
  const hasContent = data !== "stay" && isRegular(stat.mode) && stat.sizeBytes > 0;
  const content = hasContent ? openData(union, node, O_RDONLY) : undefined;
  const isRedirected = redirect !== undefined && (node.isDirectory || data !== "copy");
  try {
    return use({
      stat,
      xattrs: xattrsOf(layer, node),
      originIno: node.ino,
      flags: flagsToCopy(union, node),
      data,
      ...(isSymlink(stat.mode) ? { target: layer.readlink(inode) } : {}),
      ...(content === undefined ? {} : { content }),
      ...(isRedirected ? { redirect } : {}),
    });
  } finally {
    content?.close();
  }
}

/** A truncated copy is changed now: it must never be seen short with its old time. */
function statOfCopy(stat: Stat, change: AttrChange | undefined): Stat {
  if (change?.sizeBytes === undefined) return stat;
  const { mode = stat.mode, uid = stat.uid, gid = stat.gid } = change;
  const mtime = timeOf(change.mtime, stat.mtimeSec, stat.mtimeNsec);
  const atime = timeOf(change.atime ?? OMITTED, stat.atimeSec, stat.atimeNsec);
  return {
    ...stat,
    sizeBytes: Math.min(change.sizeBytes, stat.sizeBytes),
    mode: (stat.mode & S_IFMT) | (mode & PERMISSION_BITS),
    uid,
    gid,
    atimeSec: atime.sec,
    atimeNsec: atime.nsec,
    mtimeSec: mtime.sec,
    mtimeNsec: mtime.nsec,
  };
}

type Time = NonNullable<AttrChange["mtime"]>;

const OMITTED: Time = { sec: 0, nsec: UTIME_OMIT };

function timeOf(wanted: Time | undefined, sec: number, nsec: number): Time {
  if (wanted?.nsec === UTIME_OMIT) return { sec, nsec };
  if (wanted !== undefined && wanted.nsec !== UTIME_NOW) return wanted;
  const nowMs = Date.now();
  const nowSec = Math.floor(nowMs / 1000);
  return { sec: nowSec, nsec: (nowMs - nowSec * 1000) * 1_000_000 };
}

/** Where the lower parts of a directory, or a lower file, are: a path from the root of the layers below the upper. */
export function lowerPathOf(union: Union, node: Node): LayerPath {
  const names: ByteString[] = [];
  for (let at: Node | undefined = node; at?.parent !== undefined; at = at.parent) {
    const redirect = redirectIn(union, at);
    if (redirect?.startsWith("/")) {
      names.push(redirect.slice(1) as ByteString);
      break;
    }
    names.push(redirect ?? at.name);
  }
  return names.reverse().join("/") as LayerPath;
}

/** The mark `redirect` that a node has in the upper. */
export function redirectIn(union: Union, node: Node): ByteString | undefined {
  return union.isUpper(node) ? node.redirect : undefined;
}
