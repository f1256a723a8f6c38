// A directory in tmp/ for the length of one piece of work: on the store's file system, so that what
// is made there can become a layer by a rename. Gone when it is disposed of; after a crash it is garbage.

import { mkdir } from "node:fs/promises";
import { removeDirectory } from "./remove-directory.js";
import { scratchPath } from "./scratch-name.js";

/** Made, empty, of the owner alone. */
export class ScratchDirectory implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** `kind` tells a reader of tmp/ what it is: letters only. */
  static async make(tmp: string, kind: string): Promise<ScratchDirectory> {
    const path = scratchPath(tmp, kind);
    await mkdir(path, { mode: 0o700 });
    return new ScratchDirectory(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeDirectory(this.path);
  }
}
