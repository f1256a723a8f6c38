// A file that is made in idle time for the next copy whose data stay below, at first: it lies in the work
// directory and has the mark that says so. Making a file is what costs most of such a copy, while somebody waits.

import { isFsError } from "../errors.js";
import type { Name } from "../path.js";
import { close, unlinkAt } from "../sys/index.js";
import { type CopyUpTools, makeBlank, type OpenName, takesBlank } from "./copy-up.js";
import type { CopyUpSource, MadeAhead } from "./layer.js";
import type { WorkDirectory } from "./work-directory.js";

/** A blank, open. */
export interface BlankFile extends OpenName {
  readonly name: Name;
}

/** The blank of one upper, and whether one is wanted. What a crash leaves goes with the work directory's rest. */
export class Blank implements MadeAhead {
  readonly #work: WorkDirectory;
  readonly #tools: CopyUpTools;
  #made: BlankFile | undefined;
  #isWanted = false;

  constructor(work: WorkDirectory, tools: CopyUpTools) {
    this.#work = work;
    this.#tools = tools;
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** One for this copy, the caller's from now on; undefined where there is none or it can't be made of one. */
  take(source: CopyUpSource): BlankFile | undefined {
    if (!takesBlank(this.#tools, source)) return undefined;
    // Who makes one such copy is likely to make more.
    const made = this.#made;
    this.#made = undefined;
    this.#isWanted = true;
    return made;
  }

  /** Where it fails, none is wanted until the next copy. Throws FsError. */
  make(): void {
    this.#isWanted = false;
    if (this.#made !== undefined) return;
    const { fd: dirFd } = this.#work;
    this.#made = this.#work.prepare((name) => {
      return { dirFd, name, fd: makeBlank(this.#tools, dirFd, name) };
    });
  }

  drop(): void {
    const made = this.#made;
    this.#made = undefined;
    this.#isWanted = false;
    if (made === undefined) return;
    close(made.fd);
    try {
      unlinkAt(made.dirFd, made.name);
    } catch (error) {
      // Somebody has removed the work directory, or its disk is broken: no harm of ours.
      if (!isFsError(error)) throw error;
    }
  }
}
