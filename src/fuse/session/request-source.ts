// Where requests come from: reading /dev/fuse. Somebody who works on many files asks again within
// microseconds, and on an idle processor being put to sleep and woken takes longer than the request
// itself. So before it sleeps the session looks a few times more, as long as that pays; and while
// many ask, nobody's processor sleeps deeply (fast-wakeups.ts).

import { errno } from "../../errors.js";
import { FastWakeups } from "./fast-wakeups.js";
import type { Later } from "./later.js";

/** The descriptor requests are read from. */
export interface RequestDevice {
  /** One read(2): bytes read, or a negative errno; EAGAIN where nothing is there and it is not blocking. */
  read(): number;
  setBlocking(blocking: boolean): void;
  /** Waits for the next request so long; true where it is there. */
  wait(milliseconds: number): boolean;
}

/** What is done while nobody asks, a few microseconds at a time, by more than one processor. */
export interface WorkAhead {
  readonly hasWork: boolean;
  step(): void;
}

/** What there is to do besides serving. */
export interface Work {
  readonly ahead?: WorkAhead;
  /** As soon as no request is there. */
  readonly later?: Later;
}

const NOTHING: WorkAhead = { hasWork: false, step: () => undefined };

/** So often it looks: some 40 µs, in which a user opens, reads and closes a small file. */
const LOOKS = 100;
/** Requests served without looking ahead, at most, after it was in vain again and again. */
const MAX_PENALTY = 256;

/** Reads requests one after the other, asleep or looking. */
export class RequestSource {
  readonly #device: RequestDevice;
  readonly #mayLook: boolean;
  readonly #wakeups: FastWakeups;
  readonly #ahead: WorkAhead;
  readonly #later: Later | undefined;
  #isBlocking = true;
  /** Doubled when looking was in vain, halved when it was not. */
  #penalty = 0;
  /** So many requests are waited for asleep before it looks again. */
  #rest = 0;

  /** With one processor looking would only keep the asker from asking. */
  constructor(device: RequestDevice, processors: number, wakeups: FastWakeups, work: Work = {}) {
    this.#ahead = work.ahead ?? NOTHING;
    this.#later = work.later;
    this.#device = device;
    this.#mayLook = processors > 1;
    this.#wakeups = wakeups;
  }

  /**
   * The size of the next request, or a negative errno of read(2), never EAGAIN. `beforeSleep` is
   * called when there is none at once: what is done while nobody asks.
   */
  read(beforeSleep: () => void): number {
    this.#wakeups.count();
    if (this.#mayLook) {
      const early = this.#workAhead();
      const count = early === -errno.EAGAIN ? this.#look() : early;
      if (count !== -errno.EAGAIN) return count;
    }
    this.#later?.doAll();
    if (!this.#wakeups.isHeld || !this.#device.wait(FastWakeups.LINGER_MS)) {
      this.#wakeups.release();
      beforeSleep();
      this.#block(true);
    }
    let count = this.#device.read();
    if (count === -errno.EAGAIN) {
      // What it waited for was given up.
      this.#block(true);
      count = this.#device.read();
    }
    this.#wakeups.wake();
    return count;
  }

  /** After the last request. */
  close(): void {
    this.#wakeups.close();
  }

  #workAhead(): number {
    while (this.#ahead.hasWork) {
      this.#block(false);
      const count = this.#device.read();
      if (count !== -errno.EAGAIN) return count;
      this.#ahead.step();
    }
    return -errno.EAGAIN;
  }

  #look(): number {
    if (this.#rest > 0) {
      this.#rest -= 1;
      return -errno.EAGAIN;
    }
    this.#block(false);
    for (let looks = 0; looks < LOOKS; looks++) {
      const count = this.#device.read();
      if (count === -errno.EAGAIN) {
        this.#later?.doOne();
        continue;
      }
      this.#penalty >>>= 1;
      return count;
    }
    this.#penalty = Math.min(2 * this.#penalty + 1, MAX_PENALTY);
    this.#rest = this.#penalty;
    return -errno.EAGAIN;
  }

  #block(blocking: boolean): void {
    if (this.#isBlocking === blocking) return;
    this.#isBlocking = blocking;
    this.#device.setBlocking(blocking);
  }
}
