// Files that are whole after a crash: written aside, synced, renamed into place, directory synced.

import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { errno, FsError } from "../errors.js";
import { asFsError } from "../node-errors.js";
import { syncfsLater } from "../sys/index.js";
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
 * Brings everything on one file system to the disk at once. It hears of what could not be written
 * from the moment it is opened (syncfs(2)): open it before the first byte is written.
 */
export class Flusher implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** For the file system of `path`, a directory. */
  static async open(path: string): Promise<Flusher> {
    return new Flusher(await open(path, "r"));
  }

  /** Throws FsError EIO: a failed flush is reported once, so asking again would hide it. */
  async flush(): Promise<void> {
    const ok = await new Promise<boolean>((done) => syncfsLater(this.#handle.fd, done));
    if (!ok) throw new FsError(errno.EIO, "syncfs");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
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
