// The session behind fuse-native: libfuse's calls come to the main thread, one after the other, and
// are answered by operations on the overlay. How each is answered is in the files by family; their
// table is operations.ts. Mounting and ending are native-mount.ts's.

import { cpus } from "node:os";
import { errno, FsError, isFsError } from "../../errors.js";
import { type NameForm, NESTED_NAMES } from "../../layer/nested.js";
import type { Handle, Node, Overlay } from "../../overlay/index.js";
import { FastWakeups, type FastWakeupsUse } from "../session/fast-wakeups.js";
import type { Freezer } from "../session/freeze.js";
import type { SessionStatistics } from "../session/fuse-session.js";
import { Labels } from "../session/labels.js";
import { isLockReleased } from "../session/lock-release.js";
import type { Log } from "../session/log.js";
import type { Call } from "./call.js";
import { CallRate } from "./call-rate.js";
import { Given } from "./content-gift.js";
import { IdleWork } from "./idle-work.js";
import { MergedPaths } from "./merged-paths.js";

const LOCK_POLL_MS = 50;
/** What libfuse 2.9 speaks. */
const PROTOCOL_MINOR = 19;

/** How a session serves. */
export interface NativeSessionOptions {
  /** The mount's owner. */
  readonly uid: number;
  readonly gid: number;
  readonly volatile: boolean;
  /** A descriptor on the upper's file system, for fsyncdir. */
  readonly syncFd: number | undefined;
  /** As SessionOptions.names. */
  readonly names?: NameForm;
  /** As SessionOptions.isUpperAwaited. */
  readonly isUpperAwaited?: () => boolean;
  /** As SessionOptions.freezer. */
  readonly freezer?: Freezer;
  readonly fastWakeups: FastWakeupsUse;
  readonly onShutdown: () => void;
}

/** The operation answers by itself, later. */
export const LATER: unique symbol = Symbol("later");

/** An operation of libfuse. */
export interface Operation {
  /** True for a call that may change the upper layer: it waits during a pause. */
  changes(session: NativeSession, call: Call): boolean;
  /** The result: 0 or a count. FsErrors become their errno. */
  run(session: NativeSession, call: Call): number | typeof LATER;
}

/** The state that all operations work on. */
export class NativeSession {
  readonly overlay: Overlay;
  readonly options: NativeSessionOptions;
  readonly names: NameForm;
  readonly paths: MergedPaths;
  readonly labels = new Labels();
  readonly given = new Given();
  readonly #log: Log;
  readonly #idle: IdleWork;
  readonly #rate: CallRate;
  readonly #files = new Map<number, Handle>();
  /** How often each node is open. */
  readonly #opens = new Map<Node, number>();
  #lastFile = 0;
  /** Numbers of the files that the kernel has known by several names. */
  readonly #shared = new Set<bigint>();
  #pause: NodeJS.Timeout | undefined;
  #held: (() => void)[] = [];
  readonly #counts = new Map<string, number>();
  readonly #startedMs = Date.now();

  constructor(overlay: Overlay, options: NativeSessionOptions, log: Log) {
    this.overlay = overlay;
    this.options = options;
    this.names = options.names ?? NESTED_NAMES;
    this.paths = new MergedPaths(overlay, this.names);
    this.#log = log;
    this.#rate = new CallRate(FastWakeups.here(options.fastWakeups, cpus().length));
    this.#idle = new IdleWork(overlay, {
      volatile: options.volatile,
      mayWork: () => !this.isPaused,
      log,
    });
  }

  /** Answers a call, now or when the pause is over. Never throws. */
  serve(name: string, operation: Operation, call: Call): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#rate.called();
    const result = this.#result(name, operation, call);
    if (result !== LATER) call.finish(result);
    this.#idle.asked();
  }

  #result(name: string, operation: Operation, call: Call): number | typeof LATER {
    try {
      if (this.isPaused && operation.changes(this, call)) {
        this.#held.push(() => this.serve(name, operation, call));
        return LATER;
      }
      return operation.run(this, call);
    } catch (error) {
      return this.errorResult(name, error);
    }
  }

  /** What an error is to libfuse; the unexpected is logged, and the mount goes on. */
  errorResult(what: string, error: unknown): number {
    if (isFsError(error)) return -error.errno;
    this.#log.failure(what, error);
    return -errno.EIO;
  }

  /** A number for an open file, never 0. */
  addFile(handle: Handle): number {
    // fuse-native keeps 31 bits of it.
    do this.#lastFile = (this.#lastFile % 0x7fff_ffff) + 1;
    while (this.#files.has(this.#lastFile));
    this.#files.set(this.#lastFile, handle);
    this.#opens.set(handle.node, (this.#opens.get(handle.node) ?? 0) + 1);
    return this.#lastFile;
  }

  /** Throws FsError EBADF. */
  file(number: number): Handle {
    const handle = this.#files.get(number);
    if (handle === undefined) throw new FsError(errno.EBADF, "use");
    return handle;
  }

  closeFile(number: number): void {
    const handle = this.file(number);
    this.#files.delete(number);
    const opens = (this.#opens.get(handle.node) ?? 0) - 1;
    if (opens > 0) {
      this.#opens.set(handle.node, opens);
    } else {
      this.#opens.delete(handle.node);
      this.paths.release(handle.node);
    }
    handle.close();
  }

  isOpen(node: Node): boolean {
    return this.#opens.has(node);
  }

  /** The kernel learns that a file has several names: an inode, and a page cache, for each of them. */
  noteShared(ino: bigint): void {
    this.#shared.add(ino);
  }

  /** True when the file may have been written by another name than the one that the kernel asks by. */
  wasShared(ino: bigint): boolean {
    return this.#shared.has(ino);
  }

  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** Holds back what would change the upper, until endPause or until the lock is free. */
  beginPause(lockPath: string): void {
    this.#pause = setInterval(() => {
      if (isLockReleased(lockPath)) this.endPause();
    }, LOCK_POLL_MS);
  }

  endPause(): void {
    clearInterval(this.#pause);
    this.#pause = undefined;
    const held = this.#held;
    this.#held = [];
    for (const serve of held) serve();
  }

  statistics(): SessionStatistics {
    return {
      protocolMinor: PROTOCOL_MINOR,
      passthrough: false,
      inodes: 0,
      dormantInodes: 0,
      openFiles: this.#files.size,
      paused: this.isPaused,
      heldRequests: this.#held.length,
      heldFiles: 0,
      uptimeMs: Date.now() - this.#startedMs,
      requests: Object.fromEntries(this.#counts),
    };
  }

  /** The mount is gone: closes what is open, and the layers. */
  close(): void {
    clearInterval(this.#pause);
    this.#rate.close();
    for (const handle of this.#files.values()) handle.close();
    this.#files.clear();
    this.#idle.end(this.options.isUpperAwaited);
    this.overlay.close();
  }
}
