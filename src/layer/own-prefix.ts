// Under which prefix a directory's marks are looked for, unless somebody says it.

import { ITSELF } from "../path.js";
import { features, getxattrAt } from "../sys/index.js";
import { MARK_NAMES, type XattrPrefix } from "./whiteout.js";

/** Of a layer. Whose file system hides all other marks says so at its root. Throws FsError. */
export function xattrPrefixOf(rootFd: number): XattrPrefix {
  const { opaque } = MARK_NAMES["user.strata"];
  const hasOwn = getxattrAt(rootFd, ITSELF, opaque) !== undefined;
  return hasOwn ? "user.strata" : defaultXattrPrefix();
}

/** What this process may set, where the file system keeps it. */
export function defaultXattrPrefix(): XattrPrefix {
  return features().trustedXattr ? "trusted" : "user";
}
