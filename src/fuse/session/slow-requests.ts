// What the session hands to its helper thread: waiting for disks, and for a lock to be released.
// The session's own thread never runs its event loop, so everything goes one way, by messages; what
// it must hear of, it reads from shared memory.

import type { MessagePort } from "node:worker_threads";

/** A request that the helper thread finishes: it writes the reply and closes `fd`. */
export interface SlowRequest {
  readonly action: "fsync" | "fdatasync" | "syncfs";
  readonly fd: number;
  readonly unique: { readonly low: number; readonly high: number };
}

/** Watch this lock: when nobody holds it exclusively, put `ticket` into the shared word. */
export interface LockWatch {
  readonly action: "watch";
  readonly path: string;
  readonly ticket: number;
}

/** Sync these files, and put `ticket` into the second shared word; -ticket when one failed. */
export interface SyncFiles {
  readonly action: "sync files";
  /** They stay the session's. */
  readonly fds: readonly number[];
  readonly ticket: number;
}

/** Words of the shared memory. */
export const RELEASED_WORD = 0;
export const SYNCED_WORD = 1;
export const SHARED_WORDS = 2;

/** What the helper thread starts with. */
export interface HelperStart {
  readonly fuseFd: number;
  readonly released: Int32Array;
  readonly port: MessagePort;
  /** The log's descriptor; stderr if absent. */
  readonly logFd?: number | undefined;
}

/** The session's end of the helper thread. */
export class SlowRequests {
  readonly #port: MessagePort;
  /** The ticket of the last lock that was seen released, and of the last files synced. */
  readonly #released: Int32Array;
  readonly #startThread: () => void;
  #isStarted = false;
  #tickets = 0;

  /** `startThread` is called before the first message: most mounts never need the thread. */
  constructor(port: MessagePort, released: Int32Array, startThread: () => void) {
    this.#port = port;
    this.#released = released;
    this.#startThread = startThread;
  }

  post(request: SlowRequest): void {
    this.#send(request);
  }

  #send(message: SlowRequest | LockWatch | SyncFiles): void {
    if (!this.#isStarted) this.#startThread();
    this.#isStarted = true;
    this.#port.postMessage(message);
  }

  /** Begins to watch a lock file; the ticket says later whether it was released. */
  watchLock(path: string): number {
    this.#tickets += 1;
    const watch: LockWatch = { action: "watch", path, ticket: this.#tickets };
    this.#send(watch);
    return this.#tickets;
  }

  isReleased(ticket: number): boolean {
    return Atomics.load(this.#released, RELEASED_WORD) >= ticket;
  }

  /** Has files synced; they must stay open until then. One call at a time. */
  syncFiles(fds: readonly number[]): number {
    this.#tickets += 1;
    const files: SyncFiles = { action: "sync files", fds, ticket: this.#tickets };
    this.#send(files);
    return this.#tickets;
  }

  /** What became of them. */
  syncState(ticket: number): "waiting" | "synced" | "failed" {
    const word = Atomics.load(this.#released, SYNCED_WORD);
    if (Math.abs(word) !== ticket) return "waiting";
    return word > 0 ? "synced" : "failed";
  }
}
