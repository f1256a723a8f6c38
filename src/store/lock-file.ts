// Locks between processes: flock(2) on a file, waited for without blocking the event loop.
// A lock is let go by release() or by the end of its process, however that comes.

import { constants, type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import { flock } from "../sys/index.js";

/** A lock that is held until it is released; releasing twice is harmless. */
export interface HeldLock extends AsyncDisposable {
  release(): Promise<void>;
}

/** Many may hold a lock shared at once, or one exclusively. */
export type LockMode = "shared" | "exclusive";

/** How long to wait for a lock: for ever unless told; 0 tries once. */
export interface LockOptions {
  readonly waitMs?: number;
}

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;

class FlockHold implements HeldLock {
  #handle: FileHandle | undefined;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    // Closing the only descriptor of this open file description drops the lock.
    await handle?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

/** One file to lock. Two LockFiles of one path exclude each other, within a process too. */
export class LockFile {
  readonly path: string;
  readonly #title: string;

  /** `title` names the locked thing in messages. The file is made when it is missing, its directory is not. */
  constructor(path: string, title: string) {
    this.path = path;
    this.#title = title;
  }

  /**
   * The lock, once it is free. Throws EngineError IN_USE when it is not within `waitMs`, NOT_FOUND
   * when the directory of the lock is gone.
   */
  async acquire(mode: LockMode, options: LockOptions = {}): Promise<HeldLock> {
    const deadline = performance.now() + (options.waitMs ?? Number.POSITIVE_INFINITY);
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const held = await this.tryAcquire(mode);
      if (held !== undefined) return held;
      if (performance.now() >= deadline) {
        throw new EngineError(
          "IN_USE",
          `Cannot lock "${this.#title}": another process is working on it`,
        );
      }
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  /** The lock if it is free now, else undefined. */
  async tryAcquire(mode: LockMode): Promise<HeldLock | undefined> {
    const handle = await this.#open();
    try {
      if (flock(handle.fd, mode, { wait: false }) && (await this.#isCurrent(handle))) {
        return new FlockHold(handle);
      }
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
    return undefined;
  }

  async #open(): Promise<FileHandle> {
    try {
      return await open(this.path, constants.O_RDWR | constants.O_CREAT, 0o600);
    } catch (error) {
      if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
      throw new EngineError(
        "NOT_FOUND",
        `Cannot lock "${this.#title}": it does not exist any more`,
      );
    }
  }

  /** False when the file was removed (with what it locks) before the lock was had. */
  async #isCurrent(handle: FileHandle): Promise<boolean> {
    const own = await handle.stat();
    try {
      const named = await stat(this.path);
      return named.ino === own.ino && named.dev === own.dev;
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return false;
      throw error;
    }
  }
}
