// The mount process's log: lines to its stderr, written at once, never so many that they fill a disk.

import { writeSync } from "node:fs";

const STDERR = 2;
/** After so many lines only every thousandth is written. */
const FULL_LINES = 2_000;

/** Where unexpected things are told. Writing never throws: the mount goes on without its log. */
export class Log {
  readonly #fd: number;
  #lines = 0;

  constructor(fd = STDERR) {
    this.#fd = fd;
  }

  write(line: string): void {
    this.#lines += 1;
    if (this.#lines > FULL_LINES && this.#lines % 1000 !== 0) return;
    try {
      writeSync(this.#fd, `${new Date().toISOString()} ${line}\n`);
    } catch (error) {
      // A full disk or a closed stderr: there is nobody left to tell.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }

  /** An unexpected error in a request, with its stack. */
  failure(what: string, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.write(`${what}: ${text}`);
  }
}
