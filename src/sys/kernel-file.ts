// Small files of /proc, /sys and control groups, which vanish with what they tell of.

import { readFileSync } from "node:fs";
import { hasCode } from "../node-errors.js";

/** "utf8" where the file holds what JavaScript knows as a string: paths of a command line. */
type Encoding = "latin1" | "utf8";

/**
 * The text; undefined where there is none (any more), or we may not know: in a sandbox that hides /sys,
 * of another user's process. Throws what node:fs throws else.
 */
export function readKernelFile(path: string, encoding: Encoding = "latin1"): string | undefined {
  try {
    return readFileSync(path, encoding);
  } catch (error) {
    // ESRCH: the process ended while its file was read.
    if (hasCode(error, "ENOENT", "ENOTDIR", "ESRCH", "ENODEV", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}
