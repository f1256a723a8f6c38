// Attributes and extended attributes of merged inodes. Reading goes to the topmost part, writing
// copies up first. What stat shows that no layer knows: the inode number and the link count.

import { errno, FsError } from "../errors.js";
import type { AttrChange } from "../layer/index.js";
import { type ByteString, textOf } from "../path.js";
import {
  type InodeFlagsForm,
  isRegular,
  type Stat,
  XATTR_CREATE,
  XATTR_REPLACE,
} from "../sys/index.js";
import { CAPABILITY } from "./capability.js";
import { planCopyUp } from "./copy-up.js";
import { ownEnd } from "./data-place.js";
import type { Handle } from "./handle.js";
import { layerOf } from "./layer-of.js";
import type { Node } from "./node.js";
import { inodeFlags, requireSettable, requireUnprotected } from "./protection.js";
import { Plan } from "./step.js";
import type { Union } from "./union.js";

/**
 * st_size of every directory. What file systems show there differs (its names, its blocks, nothing),
 * so it would change when a directory is copied up, though nothing in it has.
 */
const DIRECTORY_BYTES = 4096;

/**
 * The merged inode's attributes as they are stored. What a lookup has just found is believed, and what
 * lies below where nobody else `alters` it; else the disk is asked, by an open handle's descriptor
 * where there is one. Throws FsError.
 */
export function storedStat(
  union: Union,
  node: Node,
  handle: Handle | undefined,
  alters: boolean,
): Stat {
  const isStill = node.slot < union.levelSlot && !alters;
  const isFresh = union.nodes.takeJustFound(node) || isStill;
  if (isFresh) return mergedStat(union, node, node.inode.stat);
  const raw = handle?.opened?.stat() ?? layerOf(union, node).stat(node.inode);
  return mergedStat(union, node, raw);
}

/** The merged inode's attributes; `raw` are those of its topmost part. */
export function mergedStat(union: Union, node: Node, raw: Stat): Stat {
  const nlink = mergedLinks(union, node, raw);
  // Mostly nothing differs: then no garbage is made.
  const below = node.data?.inode.stat.blocks ?? 0;
  const sizeBytes = node.isDirectory ? DIRECTORY_BYTES : raw.sizeBytes;
  const differs = raw.nlink !== nlink || raw.blocks < below || raw.sizeBytes !== sizeBytes;
  if (raw.ino === node.ino && !differs) return raw;
  return {
    dev: raw.dev,
    ino: node.ino,
    nlink,
    mode: raw.mode,
    uid: raw.uid,
    gid: raw.gid,
    rdevMajor: raw.rdevMajor,
    rdevMinor: raw.rdevMinor,
    sizeBytes,
    // A file of which little is here is no hole: tar would not read it.
    blocks: Math.max(raw.blocks, below),
    blksize: raw.blksize,
    atimeSec: raw.atimeSec,
    atimeNsec: raw.atimeNsec,
    mtimeSec: raw.mtimeSec,
    mtimeNsec: raw.mtimeNsec,
    ctimeSec: raw.ctimeSec,
    ctimeNsec: raw.ctimeNsec,
    btimeSec: raw.btimeSec,
    btimeNsec: raw.btimeNsec,
    attributes: raw.attributes,
  };
}

/**
 * st_nlink. Every directory shows 1, as overlayfs's merged ones do: programs that count on
 * subdirectories take 1 as "unknown". Not only merged ones, for the number must not change when a
 * directory is copied up, nor when the upper becomes a layer. A file shows its names in the upper and its lower names that are not hidden
 * (by this upper: a layer that hides a name of another layer's file is not counted, as in overlayfs).
 */
function mergedLinks(union: Union, node: Node, raw: Stat): number {
  if (node.isDirectory) return node.unlinked ? 0 : 1;
  if (union.isUpper(node)) {
    return node.linkKey === undefined ? raw.nlink : raw.nlink - 1 + node.lowerNames;
  }
  if (node.linkKey !== undefined) return node.lowerNames;
  return node.unlinked ? 0 : raw.nlink;
}

/** A partial change of attributes. Throws FsError EISDIR, EINVAL for the size of what has none. */
export function planSetattr(union: Union, node: Node, change: AttrChange): Plan {
  const upper = union.writable("setattr");
  const { sizeBytes } = change;
  if (sizeBytes !== undefined && !isRegular(node.kind)) {
    throw new FsError(node.isDirectory ? errno.EISDIR : errno.EINVAL, "setattr", textOf(node.name));
  }
  requireSettable(union, node, change);
  const plan = new Plan();
  let isMade = false;
  const taken = (): void => {
    isMade = true;
  };
  // What a truncation drops is not copied.
  planCopyUp(union, node, plan, { change, taken, writes: sizeBytes !== undefined });
  if (sizeBytes !== undefined) plan.add("own end", () => ownEnd(union, node, sizeBytes));
  plan.add("set attributes", () => {
    if (!isMade) upper.setattr(node.inode, change);
  });
  return plan;
}

/**
 * The value of an attribute, undefined where there is none. The kernel asks for CAPABILITY before the first write to
 * a file and before each chown, of every file that is made: that there is none is remembered where nobody else `alters`
 * the layers. Throws FsError.
 */
export function mergedXattr(
  union: Union,
  node: Node,
  name: ByteString,
  alters: boolean,
): Buffer | undefined {
  if (name !== CAPABILITY || alters) return layerOf(union, node).getxattr(node.inode, name);
  if (node.lacksCapability) return undefined;
  const value = layerOf(union, node).getxattr(node.inode, name);
  node.lacksCapability = value === undefined;
  return value;
}

/** setxattr(2). Throws FsError EEXIST, ENODATA as `flags` ask, before anything is copied up. */
export function planSetxattr(
  union: Union,
  node: Node,
  name: ByteString,
  value: Uint8Array,
  flags: number,
): Plan {
  const upper = union.writable("setxattr");
  requireUnprotected(union, node, "setxattr");
  if ((flags & (XATTR_CREATE | XATTR_REPLACE)) !== 0) {
    const exists = layerOf(union, node).getxattr(node.inode, name) !== undefined;
    if (flags & XATTR_CREATE && exists) throw new FsError(errno.EEXIST, "setxattr", textOf(name));
    if (flags & XATTR_REPLACE && !exists) {
      throw new FsError(errno.ENODATA, "setxattr", textOf(name));
    }
  }
  const plan = new Plan();
  planCopyUp(union, node, plan);
  plan.add("set xattr", () => {
    if (name === CAPABILITY) node.lacksCapability = false;
    upper.setxattr(node.inode, name, value, flags);
  });
  return plan;
}

/** removexattr(2). Throws FsError ENODATA before anything is copied up. */
export function planRemovexattr(union: Union, node: Node, name: ByteString): Plan {
  const upper = union.writable("removexattr");
  requireUnprotected(union, node, "removexattr");
  if (layerOf(union, node).getxattr(node.inode, name) === undefined) {
    throw new FsError(errno.ENODATA, "removexattr", textOf(name));
  }
  const plan = new Plan();
  planCopyUp(union, node, plan);
  plan.add("remove xattr", () => upper.removexattr(node.inode, name));
  return plan;
}

/**
 * The flags become `wanted`. Only what the caller changes is set on the copy: flags that describe
 * how a file lies on one file system may mean nothing on another's. Who may do it the kernel has
 * checked (vfs_fileattr_set). Throws FsError.
 */
export function planSetInodeFlags(
  union: Union,
  node: Node,
  form: InodeFlagsForm,
  wanted: Uint8Array,
): Plan {
  const upper = union.writable("set inode flags");
  const before = inodeFlags(union, node, form);
  const plan = new Plan();
  planCopyUp(union, node, plan);
  plan.add("set inode flags", () => {
    const now = upper.inodeFlags(node.inode, form);
    for (const [index, byte] of wanted.entries()) {
      // The first word is bits, the others are numbers.
      const was = before[index] ?? 0;
      if (index < 4) now[index] = (now[index] ?? 0) ^ (was ^ byte);
      else if (was !== byte) now[index] = byte;
    }
    upper.setInodeFlags(node.inode, form, now);
  });
  return plan;
}
