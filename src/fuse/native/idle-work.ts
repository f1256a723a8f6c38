// What the session does while nobody asks for anything (session/background.ts), on timers of the
// event loop; waiting for the disk is done in libuv's threads.

import { fdatasync } from "node:fs";
import type { Filling } from "../../overlay/index.js";
import { Background, type FileSyncer } from "../session/background.js";
import type { Log } from "../session/log.js";

/** Syncs files one after the other. */
class EventLoopSyncer implements FileSyncer {
  #ticket = 0;
  #state: "waiting" | "synced" | "failed" = "synced";

  syncFiles(fds: readonly number[]): number {
    this.#ticket += 1;
    this.#state = "waiting";
    this.#next([...fds]);
    return this.#ticket;
  }

  #next(fds: number[]): void {
    const fd = fds.pop();
    if (fd === undefined) {
      this.#state = "synced";
      return;
    }
    fdatasync(fd, (error) => {
      if (error === null) this.#next(fds);
      else this.#state = "failed";
    });
  }

  syncState(): "waiting" | "synced" | "failed" {
    return this.#state;
  }
}

/** The idle work of one session. */
export class IdleWork {
  readonly #background: Background;
  readonly #mayWork: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  /** Somebody asked for something since the timer was set. */
  #wasAsked = false;

  /** `mayWork` is false during a pause. `volatile`: nothing is ever synced. */
  constructor(
    filling: Filling,
    options: { readonly volatile: boolean; readonly mayWork: () => boolean; readonly log: Log },
  ) {
    const syncer = options.volatile ? undefined : new EventLoopSyncer();
    this.#background = new Background(filling, syncer, options.log);
    this.#mayWork = options.mayWork;
  }

  /** A call came: what there is to do waits until nobody calls for a while. */
  asked(): void {
    this.#wasAsked = true;
    this.#schedule(false);
  }

  #schedule(wasIdle: boolean): void {
    if (this.#timer !== undefined || !this.#background.hasWork) return;
    this.#timer = setTimeout(() => this.#step(), this.#background.waitMs(wasIdle));
  }

  #step(): void {
    this.#timer = undefined;
    const isIdle = !this.#wasAsked && this.#mayWork();
    this.#wasAsked = false;
    if (isIdle) this.#background.step();
    this.#schedule(isIdle);
  }

  /** The session ends; with `isAwaited` nothing may stay partial, unless somebody waits. */
  end(isAwaited: (() => boolean) | undefined): void {
    clearTimeout(this.#timer);
    if (isAwaited !== undefined) this.#background.finish(isAwaited);
  }
}
