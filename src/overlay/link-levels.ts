// Files with several names in a stack with frozen uppers: each of those has a hard-link index of its
// own (hard-links.ts), which says by which copy a lower inode shows from there on.

import { type HardLinks, linkKeyOf } from "./hard-links.js";
import { dataHolder, type LayersView } from "./lookup.js";
import type { Part } from "./node.js";

/** What the indexes are to a table of nodes. */
export interface LinksView extends LayersView {
  /** The upper's. */
  readonly links: HardLinks;
  /** That of a frozen upper; undefined for other slots. */
  frozenLinks(slot: number): HardLinks | undefined;
}

/**
 * What the frozen uppers show of a file with several names that a lookup found in `found`, and how
 * many names show it.
 */
export function throughLevels(
  view: LinksView,
  found: Part,
): { readonly part: Part; readonly names: number } {
  let part: Part = { slot: found.slot, inode: found.inode, data: found.data };
  let names = found.inode.stat.nlink;
  for (let slot = Math.max(part.slot, view.levelSlot); slot < view.layers.length; slot++) {
    const links = view.frozenLinks(slot);
    if (links === undefined) break;
    if (slot === part.slot) {
      const key = links.keyOfCopy(part.inode.stat.ino);
      if (key !== undefined) names += (links.lowerNames(key) ?? 0) - 1;
      continue;
    }
    const key = linkKeyOf(part.slot, part.inode.stat.ino);
    names = links.lowerNames(key) ?? names;
    const copy = links.copy(key);
    if (copy === undefined) continue;
    const isBelow = view.levelAt(slot)?.marks(copy).metacopy === true;
    part = { slot, inode: copy, data: isBelow ? dataHolder(view, part) : undefined };
    names += copy.stat.nlink - 1;
  }
  return { part, names };
}
