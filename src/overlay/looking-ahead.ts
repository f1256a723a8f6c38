// What may be found out before anybody asks for it, and how long it holds.

import type { Name } from "../path.js";
import type { Node } from "./node.js";
import type { DirectoryEntry } from "./readdir.js";
import type { Union } from "./union.js";

/** Looking ahead in one overlay. */
export class LookingAhead {
  readonly #union: Union;
  readonly #alters: boolean;

  /** `alters`: others may change the layers. */
  constructor(union: Union, alters: boolean) {
    this.#union = union;
    this.#alters = alters;
  }

  /** Counts up with every change of the tree: listings of before are old then. Undefined where others may change it, too. */
  get version(): number | undefined {
    return this.#alters ? undefined : this.#union.version;
  }

  /** Makes the node of an entry that lies in a layer which does not change. Throws FsError. */
  lookUp(directory: Node, entry: DirectoryEntry): void {
    const { levelSlot, nodes } = this.#union;
    if (entry.slot >= levelSlot || entry.name === "." || entry.name === "..") return;
    nodes.sweep();
    nodes.child(directory, entry.name as Name, entry.slot);
    // Its attributes may have changed when they are asked for: it may have a copy under another name.
    nodes.forgetFound();
  }
}
