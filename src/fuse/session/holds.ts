// Holding a single file: an attribute is set on it, and while we do not answer, the kernel has the
// lock of the inode, which a write(2) needs, also one by passthrough (fs/fuse/passthrough.c,
// fuse_passthrough_write_iter). So a file can be copied as it is at one moment.

import type { Request } from "../wire/request.js";

/** Set on a file, by who deals with a freeze: the answer comes when all are let go. Refused to all others. */
export const HOLD_NAME = "user.strata.hold";

interface Held {
  readonly low: number;
  readonly high: number;
}

/** The requests that are not answered yet. */
export class Holds {
  #held: Held[] = [];

  get count(): number {
    return this.#held.length;
  }

  hold({ uniqueLow: low, uniqueHigh: high }: Request): void {
    this.#held.push({ low, high });
  }

  /** All of them, to be answered. */
  release(): readonly Held[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  /** INTERRUPT: true when it was held, and is to be answered EINTR. */
  interrupt(low: number, high: number): boolean {
    const before = this.#held.length;
    this.#held = this.#held.filter((held) => held.low !== low || held.high !== high);
    return this.#held.length < before;
  }
}
