// The forms of whiteouts and marks that an upper writes where its file system does not take the usual one.

import type { MarkForm } from "../../src/layer/mark-form.js";
import { isRoot } from "./host-tree.js";

const xattrPrefix = isRoot ? "trusted" : "user";

/** By what the file system refuses: devices 0:0, the flags of renameat2, overlay's xattrs, all xattrs. */
export const FORMS: Readonly<Record<string, MarkForm>> = {
  "whiteouts as xattrs": { xattrPrefix, whiteouts: "xattr", swaps: true },
  "plain renames": { xattrPrefix, whiteouts: "device", swaps: false },
  "whiteouts as xattrs, plain renames": { xattrPrefix, whiteouts: "xattr", swaps: false },
  "marks of our own": { xattrPrefix: "user.strata", whiteouts: "xattr", swaps: true },
  "whiteouts as files": { xattrPrefix: undefined, whiteouts: "file", swaps: false },
};
