// All subjects in the order of the table's columns.

import {
  fuseOverlayfs,
  fuseOverlayfs2,
  kernelOverlayfs,
  plainDirectory,
  unionfsFuse,
} from "./peers.js";
import { strata, strataFuseNative, strataImage, strataRootless } from "./strata.js";
import type { Subject } from "./subject.js";

export function allSubjects(): readonly Subject[] {
  return [
    plainDirectory(),
    kernelOverlayfs("overlayfs"),
    kernelOverlayfs("overlayfs-metacopy"),
    strata(),
    strataImage(),
    strataRootless(),
    strataFuseNative(),
    fuseOverlayfs(),
    fuseOverlayfs2(),
    unionfsFuse(),
  ];
}
