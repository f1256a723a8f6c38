// Light sleep of processors while libfuse's calls come close together (session/fast-wakeups.ts): each
// message wakes four times, libfuse's thread, the event loop, the thread again and who asked.

import { FastWakeups } from "../session/fast-wakeups.js";

/** Watches how close together calls come. */
export class CallRate {
  readonly #wakeups: FastWakeups;
  #timer: NodeJS.Timeout | undefined;
  /** A call came since the timer was set. */
  #wasCalled = false;

  constructor(wakeups: FastWakeups) {
    this.#wakeups = wakeups;
  }

  called(): void {
    this.#wakeups.count();
    this.#wasCalled = true;
    if (this.#wakeups.isHeld) this.#timer ??= setTimeout(() => this.#look(), FastWakeups.LINGER_MS);
  }

  #look(): void {
    this.#timer = undefined;
    if (!this.#wasCalled) this.#wakeups.release();
    this.#wasCalled = false;
    if (this.#wakeups.isHeld) this.#timer = setTimeout(() => this.#look(), FastWakeups.LINGER_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#wakeups.close();
  }
}
