// Freezing the upper: it becomes a layer of the stack while the tree is in use, in a time that does
// not depend on its size. What is open goes on; what may be written past the overlay (by
// passthrough, by mappings) keeps its inode, which moves on to the new upper.

import { errno, FsError } from "../errors.js";
import type { UpperLayer } from "../layer/index.js";
import { xattrsOf } from "../layer/xattrs.js";
import { isRegular } from "../sys/index.js";
import { planCopyUpParents } from "./copy-up.js";
import type { Node } from "./node.js";
import { Plan } from "./step.js";
import type { Union } from "./union.js";

/** Overlay.freeze. */
export function freeze(
  union: Union,
  upper: UpperLayer,
  commit: () => void,
  written: readonly Node[],
): Node[] {
  const former = union.writable("freeze");
  // Others may use that upper, and know nothing of several.
  if (union.namesCopies) throw new FsError(errno.EOPNOTSUPP, "freeze");
  const moving = written.filter((node) => moves(union, node));
  for (const node of moving) finishPartial(union, former, node);
  showAs(upper, union.nodes.root, former);
  commit();
  former.blank?.drop();
  union.freeze(upper);
  for (const node of moving) carry(union, former, node);
  return moving;
}

/** Files of the upper that are one inode of one name, or of none. */
function moves(union: Union, node: Node): boolean {
  return union.isUpper(node) && isRegular(node.kind) && node.linkKey === undefined;
}

/** It is complete, or it would not be written past us; only its marks say otherwise. */
function finishPartial(union: Union, former: UpperLayer, node: Node): void {
  if (node.data === undefined) return;
  const file = former.open(node.inode, 0);
  try {
    file.sync(true);
  } finally {
    file.close();
  }
  former.finishBlocks(node.inode);
  node.data = undefined;
  node.redirect = undefined;
  union.nodes.forgetFound();
}

function carry(union: Union, former: UpperLayer, node: Node): void {
  const upper = union.writable("freeze");
  const { parent, name } = node;
  const plan = new Plan();
  if (parent !== undefined) planCopyUpParents(union, node, plan);
  plan.add("carry", () => {
    const [below] = parent?.lower ?? [];
    const place =
      parent === undefined || below === undefined
        ? undefined
        : { formerDirectory: below.inode, directory: parent.inode, name };
    node.inode = upper.takeOver(former, node.inode, place);
    node.slot = union.upperSlot;
  });
  union.run(plan);
}

/** Gives the root of an empty upper all attributes of the present one. */
function showAs(upper: UpperLayer, root: Node, former: UpperLayer): void {
  const { inode } = root;
  const xattrs = xattrsOf(former, { inode });
  for (const name of upper.listxattr(upper.root)) {
    if (!xattrs.has(name)) upper.removexattr(upper.root, name);
  }
  for (const [name, value] of xattrs) upper.setxattr(upper.root, name, value, 0);
  const { mode, uid, gid, atimeSec, atimeNsec, mtimeSec, mtimeNsec } = former.stat(inode);
  upper.setattr(upper.root, {
    mode: mode & PERMISSIONS,
    uid,
    gid,
    atime: { sec: atimeSec, nsec: atimeNsec },
    mtime: { sec: mtimeSec, nsec: mtimeNsec },
  });
}

const PERMISSIONS = 0o7777;
