// What a missing SELinux label is answered with. ENODATA, as by any file system; but ls asks for the
// label of each file it shows, a message each, until a file system says that it keeps none, and then
// never again (coreutils, ls.c, getfilecon_cache). So ls hears EOPNOTSUPP, where there are no labels:
// the kernel has no SELinux, and none was ever seen in this mount. Nobody else does, for nobody else
// stops asking, and setfiles takes that answer for a failure (libselinux, restorecon_sb).

import { errno } from "../../errors.js";
import { type ByteString, bytesOf } from "../../path.js";
import { readKernelFile } from "../../sys/index.js";

export const LABEL_NAME: ByteString = bytesOf("security.selinux");

/** Programs that stop asking. */
const LISTERS: ReadonlySet<string> = new Set(["ls", "dir", "vdir"]);
/** Files without a label that a process must have asked for: a short listing is told the truth. */
const ENOUGH = 16;
/** Processes that are remembered; more than run at a time. */
const MAX_PROCESSES = 64;

/** Where the facts come from: /proc, or a test. */
export interface LabelWorld {
  /** SELinux was not switched off when the kernel started: it gives labels their meaning. */
  readonly hasSelinux: () => boolean;
  /** A process's name; undefined when it can't be seen from here. */
  readonly programName: (pid: number) => string | undefined;
}

/** The labels of one mount. */
export class Labels {
  readonly #world: LabelWorld;
  /** How many files without a label each process has asked for. */
  readonly #missing = new Map<number, number>();
  #exist: boolean;

  constructor(world: LabelWorld = HOST) {
    this.#world = world;
    this.#exist = world.hasSelinux();
  }

  /** Some file has a label: from now on it matters which ones have none. */
  found(): void {
    this.#exist = true;
  }

  /** The errno for a file that has no label, asked for by `pid` (0 for one that can't be seen). */
  missing(pid: number): number {
    if (this.#exist) return errno.ENODATA;
    const count = (this.#missing.get(pid) ?? 0) + 1;
    if (count <= ENOUGH) {
      if (this.#missing.size >= MAX_PROCESSES) this.#missing.clear();
      this.#missing.set(pid, count);
      return errno.ENODATA;
    }
    // Counted anew: the next process of this number may be another program.
    this.#missing.delete(pid);
    const name = this.#world.programName(pid);
    return name !== undefined && LISTERS.has(name) ? errno.EOPNOTSUPP : errno.ENODATA;
  }
}

const HOST: LabelWorld = {
  // Registered only where SELinux was not switched off at boot; the same list in every namespace.
  hasSelinux: () => readKernelFile("/proc/filesystems")?.includes("selinuxfs") ?? true,
  programName: (pid) => readKernelFile(`/proc/${pid}/comm`)?.trimEnd(),
};
