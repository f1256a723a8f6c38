// What the session does while nobody asks for anything (session/background.ts, catch-up.ts), on timers of the
// event loop; waiting for the disk is done in libuv's threads.

import { fdatasync } from "node:fs";
import type { Overlay } from "../../overlay/index.js";
import { Background, type FileSyncer } from "../session/background.js";
import { CATCH_UP_MS, catchUp } from "../session/catch-up.js";
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
  readonly #overlay: Overlay;
  readonly #log: Log;
  readonly #background: Background;
  readonly #mayWork: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  /** Somebody asked for something since the timer was set. */
  #wasAsked = false;

  /** `mayWork` is false during a pause. `volatile`: nothing is ever synced. */
  constructor(
    overlay: Overlay,
    options: { readonly volatile: boolean; readonly mayWork: () => boolean; readonly log: Log },
  ) {
    const syncer = options.volatile ? undefined : new EventLoopSyncer();
    this.#overlay = overlay;
    this.#log = options.log;
    this.#background = new Background(overlay.filling, syncer, options.log);
    this.#mayWork = options.mayWork;
  }

  /** A call came: what there is to do waits until nobody calls for a while. */
  asked(): void {
    this.#wasAsked = true;
    this.#schedule(false);
  }

  #schedule(wasIdle: boolean): void {
    if (this.#timer !== undefined) return;
    const { isBehind } = this.#overlay;
    if (!isBehind && !this.#background.hasWork) return;
    const waitMs = isBehind ? CATCH_UP_MS : this.#background.waitMs(wasIdle);
    this.#timer = setTimeout(() => this.#step(), waitMs);
  }

  #step(): void {
    this.#timer = undefined;
    const isIdle = !this.#wasAsked && this.#mayWork();
    this.#wasAsked = false;
    const { isBehind } = this.#overlay;
    if (isIdle && isBehind) catchUp(this.#overlay, this.#log);
    else if (isIdle) this.#background.step();
    this.#schedule(isIdle && !isBehind);
  }

  /** The session ends; with `isAwaited` nothing may stay partial, unless somebody waits. */
  end(isAwaited: (() => boolean) | undefined): void {
    clearTimeout(this.#timer);
    if (isAwaited !== undefined) this.#background.finish(isAwaited);
  }
}
