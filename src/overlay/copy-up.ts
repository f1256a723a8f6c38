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
  /**
   * A change of attributes, made in the same step where nothing else than writing the copy with it
   * is needed (`taken` is called then); of one that truncates at least the size, so that what it drops is not copied.
   */
  readonly change?: AttrChange;
  /** The copy has the whole change. */
  readonly taken?: () => void;
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
    planKnownNames(union, node, plan);
    return;
  }
  const { parent, linkKey } = node;
  if (linkKey !== undefined && node.lowerNames > 0) {
    if (!plan.takesOn(node)) return;
    plan.add("copy up links", () => copyUpIndexed(union, node, linkKey, difference));
    planKnownNames(union, node, plan);
  } else if (node.isDirectory ? !node.unlinked : parent !== undefined) {
    planCopyUpParents(union, node, plan);
    if (plan.takesOn(node)) plan.add("copy up", () => copyUpNamed(union, node, difference));
  } else if (node.isDirectory) {
    throw new FsError(errno.ENOENT, "copy up", textOf(node.name));
  } else if (plan.takesOn(node)) {
    plan.add("copy up unnamed", () => copyUpUnnamed(union, node, difference));
  }
}

/**
 * The names of a changed file with several that anybody has looked up: who reads the upper directory
 * finds it by them only.
 */
function planKnownNames(union: Union, node: Node, plan: Plan): void {
  if (!union.namesCopies || node.linkKey === undefined || node.lowerNames === 0) return;
  const { parent, name, more = [] } = node;
  if (parent === undefined) return;
  for (const known of [{ parent, name }, ...more]) {
    planDirectories(union, known.parent, plan);
    planNameInUpper(union, { directory: known.parent, name: known.name, node }, plan);
  }
}

export function planCopyUpParents(union: Union, node: Node, plan: Plan): void {
  planDirectories(union, node.parent, plan);
}

/** A loop, not a recursion: trees may be deeper than the stack. */
function planDirectories(union: Union, directory: Node | undefined, plan: Plan): void {
  const lowers: Node[] = [];
  for (let at = directory; at !== undefined && !union.isUpper(at); at = at.parent) lowers.push(at);
  for (const directory of lowers.reverse()) {
    if (plan.takesOn(directory)) plan.add("copy up", () => copyUpNamed(union, directory, {}));
  }
}

function copyUpNamed(union: Union, node: Node, difference: CopyUpDifference): void {
  const upper = union.writable("copy up");
  const { parent, name } = node;
  if (parent === undefined) throw new FsError(errno.ENOENT, "copy up", textOf(name));
  const made = withSource(union, node, difference, (source) =>
    upper.copyUp(parent.inode, name, source),
  );
  if (node.isDirectory) {
    node.lower = [{ slot: node.slot, inode: node.inode }, ...node.lower];
    node.redirect = difference.redirect;
  }
  enterCopy(union, node, made, difference);
}

function copyUpIndexed(
  union: Union,
  node: Node,
  key: ByteString,
  difference: CopyUpDifference,
): void {
  const upper = union.writable("copy up");
  const made = withSource(union, node, difference, (source) => upper.copyUpIndexed(key, source));
  union.links.copied(key, made.copy);
  enterCopy(union, node, made, difference);
}

/** An open file whose last name is gone: the copy lives as long as its node. */
function copyUpUnnamed(union: Union, node: Node, difference: CopyUpDifference): void {
  const upper = union.writable("copy up");
  const key = union.links.orphanKey();
  const made = withSource(union, node, difference, (source) => upper.copyUpIndexed(key, source));
  node.linkKey = undefined;
  enterCopy(union, node, made, difference);
  upper.unindex(key);
}

/** What was made of a node. */
interface MadeCopy {
  readonly copy: LayerNode;
  readonly data: CopiedData;
  readonly hasChange: boolean;
}

/** The node is the copy now. */
function enterCopy(
  union: Union,
  node: Node,
  { copy, data: how, hasChange }: MadeCopy,
  difference: CopyUpDifference,
): void {
  // The upper may have found it cheaper to copy all.
  const isBelow = how === "stay" || (how === "blocks" && hasOwnBlocks(union, copy));
  const data = isBelow ? dataHolder(union, node) : undefined;
  if (isBelow) union.rehearsal.note(how, { ino: node.ino, slot: node.slot, inode: node.inode });
  union.nodes.copiedUp(node, copy, data);
  if (!node.isDirectory) node.redirect = isBelow ? difference.redirect : undefined;
  if (isBelow && how === "blocks") union.filling.add(node);
  if (hasChange) difference.taken?.();
}

function hasOwnBlocks(union: Union, copy: LayerNode): boolean {
  return union.upper?.ownBlocks(copy) !== undefined;
}

type CopiedData = NonNullable<CopyUpSource["data"]>;

/** Which data of a copy come with it (CopyUpSource.data). */
function dataOf(
  union: Union,
  node: Node,
  { stat, xattrs }: Pick<CopyUpSource, "stat" | "xattrs">,
  difference: CopyUpDifference,
): CopiedData {
  if (!isRegular(node.kind) || stat.sizeBytes === 0) return "copy";
  if (!union.leavesData || difference.whole === true) return "copy";
  const isFrozen = node.slot >= union.levelSlot;
  // Another's file whose own data lie below it, or one of ours that may be found under another's name.
  if (isFrozen ? node.linkKey !== undefined : node.data !== undefined) return "copy";
  if (difference.writes !== true && union.metadataOnly) return "stay";
  // Filling it in later would take from it, for a moment, what a crash might not give back.
  return hasPrivileges({ stat, xattrs }) ? "copy" : "blocks";
}

/** What writing, or a new owner, takes from a file. */
function hasPrivileges({ stat, xattrs }: Pick<CopyUpSource, "stat" | "xattrs">): boolean {
  return (stat.mode & (S_ISUID | S_ISGID)) !== 0 || xattrs.has(CAPABILITY);
}

/** True where a copy that has the changed attributes is all that the change is. */
function isWrittenWithCopy(
  node: Node,
  source: Pick<CopyUpSource, "stat" | "xattrs" | "data">,
  change: AttrChange,
): boolean {
  if (change === NO_CHANGE || change.sizeBytes !== undefined) return false;
  if (!node.isDirectory && (source.data !== "stay" || hasPrivileges(source))) return false;
  // What time it is now the upper's file system says.
  return change.atime?.nsec !== UTIME_NOW && change.mtime?.nsec !== UTIME_NOW;
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

function withSource(
  union: Union,
  node: Node,
  difference: CopyUpDifference,
  make: (source: CopyUpSource) => LayerNode,
): MadeCopy {
  const layer = layerOf(union, node);
  const { inode } = node;
  const { redirect, change = NO_CHANGE } = difference;
  const xattrs = xattrsOf(layer, node);
  const before = union.statOf(node);
  // A truncated copy is changed now: it must never be seen short with its old time.
  const kept = change.sizeBytes === undefined ? before : changedStat(before, change);
  const data = dataOf(union, node, { stat: kept, xattrs }, difference);
  const hasChange = isWrittenWithCopy(node, { stat: before, xattrs, data }, change);
  const stat = hasChange ? changedStat(before, change) : kept;
  const hasContent = data !== "stay" && isRegular(stat.mode) && stat.sizeBytes > 0;
  const content = hasContent ? openData(union, node, O_RDONLY) : undefined;
  const isRedirected = redirect !== undefined && (node.isDirectory || data !== "copy");
  try {
    const copy = make({
      stat,
      xattrs,
      originIno: node.ino,
      flags: flagsToCopy(union, node, node.data === undefined ? content : undefined),
      data,
      ...(isSymlink(stat.mode) ? { target: layer.readlink(inode) } : {}),
      ...(content === undefined ? {} : { content }),
      ...(isRedirected ? { redirect } : {}),
    });
    return { copy, data, hasChange };
  } finally {
    content?.close();
  }
}

function changedStat(stat: Stat, change: AttrChange): Stat {
  const { sizeBytes = stat.sizeBytes, mode = stat.mode, uid = stat.uid, gid = stat.gid } = change;
  const truncated = change.sizeBytes === undefined ? OMITTED : undefined;
  const mtime = timeOf(change.mtime ?? truncated, stat.mtimeSec, stat.mtimeNsec);
  const atime = timeOf(change.atime ?? OMITTED, stat.atimeSec, stat.atimeNsec);
  return {
    ...stat,
    sizeBytes: Math.min(sizeBytes, stat.sizeBytes),
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

const NO_CHANGE: AttrChange = {};
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
