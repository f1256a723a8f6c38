// The mount process of the RUN that comes next, started while this one goes on: it takes about as
// long to start as a short program to run.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startMountProcess, type WaitingMountProcess } from "../../fuse/index.js";
import { pieceName } from "./piece-name.js";

/** A place for a RUN, with its mount process. */
export interface NextRoot {
  readonly home: string;
  readonly waiting: WaitingMountProcess;
}

const FOLDERS = ["", "root", "upper", "work"];

/** At most one waits at a time. Dispose of it at the end of the build. */
export class NextRoots implements AsyncDisposable {
  readonly #directory: string;
  readonly #logFile: string;
  #next: NextRoot | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#logFile = join(directory, "mount.log");
  }

  /** Another RUN is likely to come. */
  prepare(): void {
    this.#next ??= this.#start();
  }

  take(): NextRoot {
    const next = this.#next ?? this.#start();
    this.#next = undefined;
    return next;
  }

  #start(): NextRoot {
    const home = join(this.#directory, pieceName("run"));
    for (const name of FOLDERS) mkdirSync(join(home, name));
    return { home, waiting: startMountProcess(join(home, "root"), this.#logFile) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#next?.waiting.end();
    this.#next = undefined;
  }
}
