// New inodes and new names: create, mkdir, mknod, symlink, O_TMPFILE, link. Plans only; the
// overlay carries them out.

import { assert } from "../assert.js";
import { errno, FsError } from "../errors.js";
import type { LayerFile, NewInode, Standing } from "../layer/index.js";
import { isName, type Name, textOf } from "../path.js";
import { planCopyUp } from "./copy-up.js";
import { planWithData } from "./data-redirect.js";
import { planRecordLowerNames } from "./name-in-upper.js";
import type { Node } from "./node.js";
import { requireAddable, requireUnprotected } from "./protection.js";
import { Plan } from "./step.js";
import type { Union } from "./union.js";

/** What a plan made; filled in when its last step has run. */
export interface Made {
  node: Node | undefined;
  file: LayerFile | undefined;
}

/** The node that a plan has made: it ran to its end, for what fails throws. */
export function madeNode(made: Made): Node {
  const { node } = made;
  assert(node !== undefined, "a plan that ran to its end made its node");
  return node;
}

/**
 * Where a new name is to go: it must be free, and its directory must be there. What stands in the
 * upper at that name: nothing or a whiteout.
 */
function requireFree(union: Union, directory: Node, name: Name, operation: string): Standing {
  union.writable(operation);
  const standing = union.nodes.missing(directory, name);
  if (standing === undefined) throw new FsError(errno.EEXIST, operation, textOf(name));
  if (directory.unlinked) throw new FsError(errno.ENOENT, operation, textOf(name));
  if (!isName(name)) throw new FsError(errno.EINVAL, operation, textOf(name));
  requireAddable(union, directory, operation);
  return standing;
}

/** A new inode; with `flags`, a regular file opened with them. Throws FsError EEXIST, ENOENT, EINVAL. */
export function planCreate(
  union: Union,
  directory: Node,
  name: Name,
  inode: NewInode,
  flags: number | undefined,
  made: Made,
): Plan {
  const over = requireFree(union, directory, name, "create");
  const upper = union.writable("create");
  // What the whiteout hid must stay hidden: overlayfs.rst, "whiteouts and opaque directories".
  const opaque = inode.type === "directory" && over === "whiteout";
  const wanted: NewInode = opaque ? { ...inode, opaque } : inode;
  const plan = new Plan();
  planCopyUp(union, directory, plan);
  plan.add("create", () => {
    const parent = directory.inode;
    if (flags === undefined) made.node = union.nodes.born(upper.create(parent, name, wanted, over));
    else {
      const { node, file } = upper.createOpen(parent, name, wanted, over, flags);
      made.node = union.nodes.born(node);
      made.file = file;
    }
    union.nodes.name(made.node, directory, name);
  });
  return plan;
}

/** A regular file without a name, opened with `flags`. Throws FsError ENOTDIR. */
export function planCreateUnnamed(
  union: Union,
  directory: Node,
  inode: NewInode,
  flags: number,
  made: Made,
): Plan {
  const upper = union.writable("create");
  if (!directory.isDirectory) throw new FsError(errno.ENOTDIR, "create", textOf(directory.name));
  requireAddable(union, directory, "create");
  const plan = new Plan();
  planCopyUp(union, directory, plan);
  plan.add("create unnamed", () => {
    const { node, file } = upper.createUnnamed(directory.inode, inode, flags);
    made.node = union.nodes.born(node);
    made.node.unlinked = true;
    made.file = file;
  });
  return plan;
}

/** A second name for a file. Throws FsError EEXIST, EPERM for a directory. */
export function planLink(union: Union, node: Node, directory: Node, name: Name): Plan {
  const over = requireFree(union, directory, name, "link");
  if (node.isDirectory) throw new FsError(errno.EPERM, "link", textOf(name));
  requireUnprotected(union, node, "link");
  const upper = union.writable("link");
  const plan = new Plan();
  planWithData(union, node, plan);
  planCopyUp(union, directory, plan);
  planRecordLowerNames(union, node, plan);
  plan.add("link", () => {
    upper.link(node.inode, directory.inode, name, over);
    union.nodes.severalNames(node);
    union.nodes.name(node, directory, name);
  });
  return plan;
}
