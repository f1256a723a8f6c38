// Removed files that somebody has open still.

import { openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";

/** Removed files below a directory that this process has open. */
export function heldBelow(directory: string): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(directory) && target.endsWith(" (deleted)");
    } catch (error) {
      // The descriptor of that very listing.
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
      throw error;
    }
  }).length;
}

/** The descriptor of a new file without a name. */
export function removedFile(path: string, sizeBytes: number): number {
  writeFileSync(path, Buffer.alloc(sizeBytes, "x"));
  const fd = openSync(path, "r");
  rmSync(path);
  return fd;
}
