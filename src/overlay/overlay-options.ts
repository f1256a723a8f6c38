// What an overlay is made of and how it is to behave. No code: overlay.ts takes it apart.

import type { Layer, UpperLayer } from "../layer/index.js";
import type { BeforeStep } from "./step.js";
import type { ViewOptions } from "./view.js";

/** What an overlay is made of. */
export interface OverlayOptions {
  /** The read-only layers, topmost first. */
  readonly stack: readonly Layer[];
  /** What were uppers of this tree before they were frozen, topmost first: they lie above the stack. */
  readonly frozen?: readonly UpperLayer[];
  /** Without it nothing can be changed (EROFS). */
  readonly upper?: UpperLayer;
  /** How many high bits of an inode number tell the file systems of the layers apart; 8. */
  readonly highInodeBits?: number;
  /**
   * A changed lower file with several names gets the name it was changed by in the upper, besides
   * its copy in the index; and an index that was made over other layers is not believed. For uppers
   * that others use too, or whose work directory does not stay with them.
   */
  readonly namesCopies?: boolean;
  /** How the tree is shown, where that is not how it is stored. */
  readonly view?: ViewOptions;
  /** False: a directory with lower parts can't be moved (EXDEV), as kernel overlayfs without redirect_dir. True if absent. */
  readonly redirects?: boolean;
  /**
   * "block": data of a lower file stay below until their block is written, where the upper can do
   * that; "whole": all are copied at once. "block" if absent.
   */
  readonly copyUp?: "block" | "whole";
  /** With "block": a change of metadata alone copies no data, ever. True if absent. */
  readonly metadataOnly?: boolean;
  /** Others may change attributes in the stack: its layers are asked for them each time. False if absent. */
  readonly alters?: boolean;
  /** For tests of crashes. */
  readonly beforeStep?: BeforeStep;
}
