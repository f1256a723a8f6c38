// Names in the upper for copies that lie in the hard-link index alone. Plans only.

import type { Name } from "../path.js";
import type { Node } from "./node.js";
import type { Plan } from "./step.js";
import type { Union } from "./union.js";

/**
 * Before a copy in the index gets a name in the upper: found by that name, nothing else would tell
 * how many lower names it has.
 */
export function planRecordLowerNames(union: Union, node: Node, plan: Plan): void {
  const { linkKey } = node;
  if (linkKey === undefined || union.links.lowerNames(linkKey) !== undefined) return;
  plan.add("record lower names", () => union.links.setLowerNames(linkKey, node.lowerNames));
}

/** One of several lower names of a file whose copy lies in the index gets a name of its own. */
export function planNameInUpper(
  union: Union,
  place: { readonly directory: Node; readonly name: Name; readonly node: Node },
  plan: Plan,
): void {
  const { directory, name, node } = place;
  if (node.linkKey === undefined) return;
  if (union.standing(directory, name, node) === "file") return;
  // Its copy-up may name it in the same plan.
  if (!plan.takesOnName(directory, name)) return;
  const key = node.linkKey;
  const upper = union.writable("name in upper");
  planRecordLowerNames(union, node, plan);
  plan.add("name in upper", () => {
    upper.link(node.inode, directory.inode, name, "absent");
    node.lowerNames--;
  });
  plan.add("forget lower name", () => union.links.setLowerNames(key, node.lowerNames));
}
