// A file whose data lie below is about to get a name under which they would not be found: a mark
// says where they are (overlayfs.rst, "metadata only copy up", "redirect_dir").

import { errno, FsError } from "../errors.js";
import { type ByteString, textOf } from "../path.js";
import { isRegular } from "../sys/index.js";
import { lowerPathOf, planCopyUp, redirectIn } from "./copy-up.js";
import type { Node } from "./node.js";
import type { Plan } from "./step.js";
import type { Union } from "./union.js";

/** Adds what brings a file (no directory) into the upper, so that it may be renamed and linked. */
export function planWithData(union: Union, node: Node, plan: Plan): void {
  if (!isRegular(node.kind)) {
    planCopyUp(union, node, plan);
    return;
  }
  if (!union.isUpper(node)) {
    const redirect = redirectOf(union, node);
    planCopyUp(union, node, plan, redirect === undefined ? { whole: true } : { redirect });
    return;
  }
  if (node.data === undefined || node.redirect?.startsWith("/") === true) return;
  const redirect = redirectOf(union, node);
  if (redirect === undefined)
    throw new FsError(errno.ENOENT, "find the data of", textOf(node.name));
  const upper = union.writable("rename");
  plan.add("mark redirect", () => {
    upper.mark(node.inode, { redirect });
    node.redirect = redirect;
  });
}

/** The absolute path of a file's data in the layers below, as far as anybody remembers it. */
function redirectOf(union: Union, node: Node): ByteString | undefined {
  if (node.parent !== undefined || redirectIn(union, node) !== undefined) {
    return `/${lowerPathOf(union, node)}` as ByteString;
  }
  const { lastRedirect } = node;
  return lastRedirect?.upperSlot === union.upperSlot ? lastRedirect.path : undefined;
}

/** Before the last known name of a file goes: it may get another one while it is open. */
export function rememberData(union: Union, node: Node): void {
  const hasLower = node.data !== undefined || !union.isUpper(node);
  if (!hasLower || !isRegular(node.kind) || (node.more?.length ?? 0) > 0) return;
  if (node.references <= 0) return;
  const path = redirectOf(union, node);
  node.lastRedirect = path === undefined ? undefined : { path, upperSlot: union.upperSlot };
}
