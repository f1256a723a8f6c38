// What a directory of the store holds, where the directory is made only when something is put there.

import { readdir } from "node:fs/promises";
import { hasCode } from "../node-errors.js";

/**
 * The names in a directory, in no order; none where there is nothing. A file in its place is an error (ENOTDIR)
 * and not nothing: somebody put it there. Throws what node:fs throws.
 */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}
