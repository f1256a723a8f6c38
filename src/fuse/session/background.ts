// What a session does while nobody asks it for anything: filling partial files in (overlay/filling.ts),
// a short piece at a time. No other thread does, so nothing races with a write; only waiting for the
// disk is the helper thread's.

import { isFsError } from "../../errors.js";
import type { Filled, Filling } from "../../overlay/index.js";
import type { Log } from "./log.js";
import type { SlowRequests } from "./slow-requests.js";

/** So long nobody must have asked for anything before it begins: who works on many files pauses, too… */
const IDLE_MS = 100;
/** …and between two pieces: some 200 MB/s, so that the disk is not taken from others. */
const BETWEEN_MS = 1;
/** A full disk is tried again after so long without a request, and then ever more seldom. */
const RETRY_MS = 5000;
const MAX_RETRY_MS = 300_000;
/** Files that are synced in one go. */
const SYNCED_AT_ONCE = 32;

/** Who waits for the disk. */
export type FileSyncer = Pick<SlowRequests, "syncFiles" | "syncState">;

/** The idle work of one session. */
export class Background {
  readonly #filling: Filling;
  readonly #slow: FileSyncer | undefined;
  readonly #log: Log;
  #syncing: readonly Filled[] = [];
  #ticket = 0;
  #retryMs = RETRY_MS;
  /** What the log heard last: a full disk says the same for each file, again and again. */
  #reported = "";

  /** Without `slow` it waits for the disk itself. */
  constructor(filling: Filling, slow: FileSyncer | undefined, log: Log) {
    this.#filling = filling;
    this.#slow = slow;
    this.#log = log;
  }

  get hasWork(): boolean {
    return this.#isBusy || this.#filling.lacksRoom;
  }

  get #isBusy(): boolean {
    return this.#filling.isWaiting || this.#filling.hasFilled || this.#syncing.length > 0;
  }

  /** How long to wait for a request before the next piece. */
  waitMs(wasIdle: boolean): number {
    if (!this.#isBusy) return this.#retryMs;
    return wasIdle && this.#filling.isWaiting ? BETWEEN_MS : IDLE_MS;
  }

  /** One piece. Never throws. */
  step(): void {
    if (!this.#isBusy) {
      this.#filling.retry();
      this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
    }
    try {
      if (this.#syncing.length > 0) this.#settle();
      if (this.#syncing.length === 0 && this.#filling.hasFilled) this.#sync();
      if (this.#filling.isWaiting) this.#filling.step();
    } catch (error) {
      this.#report(error);
    }
  }

  #sync(): void {
    this.#syncing = this.#filling.takeFilled(SYNCED_AT_ONCE);
    if (this.#slow === undefined) {
      this.#settleNow();
      return;
    }
    const fds = this.#syncing.flatMap(({ file }) => file.fd ?? []);
    this.#ticket = this.#slow.syncFiles(fds);
  }

  #settle(): void {
    const state = this.#slow?.syncState(this.#ticket) ?? "synced";
    if (state === "waiting") return;
    const files = this.#syncing;
    this.#syncing = [];
    for (const file of files) {
      if (state === "failed") this.#filling.giveUp(file);
      else this.#settleOne(file, () => undefined);
    }
  }

  #settleNow(): void {
    const files = this.#syncing;
    this.#syncing = [];
    for (const file of files) this.#settleOne(file, () => file.file.sync(true));
  }

  #settleOne(file: Filled, sync: () => void): void {
    try {
      sync();
    } catch (error) {
      this.#filling.giveUp(file);
      this.#report(error);
      return;
    }
    try {
      this.#filling.settle(file);
      this.#retryMs = RETRY_MS;
      this.#reported = "";
    } catch (error) {
      this.#report(error);
    }
  }

  /** A full disk, most likely: the file stays as it is, which is no harm. */
  #report(error: unknown): void {
    if (isFsError(error)) {
      if (error.message !== this.#reported) this.#log.write(`filling in: ${error.message}`);
      this.#reported = error.message;
    } else this.#log.failure("filling in", error);
  }

  /** The session ends, and nothing may stay partial, unless somebody waits for the upper. */
  finish(isAwaited: () => boolean): void {
    this.#settleNow();
    this.#filling.finish((error) => this.#report(error), isAwaited);
  }
}
