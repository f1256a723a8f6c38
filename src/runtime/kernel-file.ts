// Small files of /proc and of control groups, which vanish with what they tell of.

import { readFileSync } from "node:fs";
import { hasCode } from "../node-errors.js";

/** The text; undefined where there is none (any more), or we may not know. Throws what node:fs throws else. */
export function readKernelFile(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES", "ENODEV", "ENOTDIR")) return undefined;
    throw error;
  }
}
