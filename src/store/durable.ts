// Files that are whole after a crash: written aside, synced, renamed into place, directory synced.

import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { asFsError } from "../node-errors.js";
import { scratchPath } from "./scratch-name.js";

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces the file `directory`/`name`: after a crash it holds the old bytes or the new ones. With
 * `isLasting` false nothing is synced: for what a crash of the machine makes untrue anyway.
 */
export async function replaceFile(
  tmp: string,
  directory: string,
  name: string,
  bytes: Uint8Array | string,
  isLasting = true,
): Promise<void> {
  const path = join(directory, name);
  const aside = scratchPath(tmp, "file");
  try {
    const handle = await open(aside, "wx", 0o644);
    try {
      await handle.writeFile(bytes);
      if (isLasting) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
    if (isLasting) await syncDirectory(directory);
  } catch (error) {
    await rm(aside, { force: true });
    throw asFsError(error, "write", path);
  }
}
