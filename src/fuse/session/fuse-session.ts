// The session on one /dev/fuse descriptor: read a request, serve it, write the reply, one after
// the other in one thread that never runs its event loop. How each kind of request is served is in
// the files by family; their table is dispatch.ts.

import { availableParallelism, cpus } from "node:os";
import { errno, errnoName, isFsError } from "../../errors.js";
import { type NameForm, NESTED_NAMES } from "../../layer/nested.js";
import type { Overlay } from "../../overlay/index.js";
import { POLLIN, poll, setBlocking, tryRead, tryWrite } from "../../sys/index.js";
import {
  NOTIFY_INVAL_INODE,
  NOTIFY_STORE,
  OPCODE_LIMIT,
  OUT_HEADER_BYTES,
  STORE_BYTES,
} from "../wire/protocol.js";
import { newGeneration, Reply } from "../wire/reply.js";
import { Request } from "../wire/request.js";
import { isRefused } from "./access.js";
import { AttributesAhead } from "./attributes-ahead.js";
import { Background } from "./background.js";
import { CATCH_UP_MS, catchUp } from "./catch-up.js";
import { giftBytes } from "./content-gift.js";
import { DirectReads } from "./direct-reads.js";
import { handlers } from "./dispatch.js";
import { FastWakeups, type FastWakeupsUse } from "./fast-wakeups.js";
import { type Freezer, MovedFiles } from "./freeze.js";
import { NO_REPLY } from "./handler.js";
import { Holds } from "./holds.js";
import { InodeTable } from "./inode-table.js";
import { Labels } from "./labels.js";
import { Later } from "./later.js";
import type { Log } from "./log.js";
import { type Agreement, MAX_WRITE_BYTES, negotiate } from "./negotiation.js";
import { OpenFile, OpenFiles } from "./open-files.js";
import { Passthrough } from "./passthrough.js";
import type { PassthroughUse } from "./passthrough-choice.js";
import { PastWriters } from "./past-writers.js";
import { changesUpper, Pause } from "./pause.js";
import { Preparation } from "./preparation.js";
import { ReadAhead } from "./read-ahead.js";
import { RequestSource } from "./request-source.js";
import type { SlowRequests } from "./slow-requests.js";
import { undo } from "./undo.js";
import { WalkAhead } from "./walk-ahead.js";
import { WarmUp } from "./warm-up.js";

/** How a session serves. */
export interface SessionOptions {
  /** Files up to this size are read through the page cache. */
  readonly smallFileBytes: number;
  readonly passthrough: PassthroughUse;
  readonly fastWakeups: FastWakeupsUse;
  /** 2 where layers lie on a stacked file system themselves (overlayfs, another passthrough). */
  readonly maxStackDepth: 1 | 2;
  /** The kernel checks permissions, ACLs with them. */
  readonly posixAcl: boolean;
  /** Who besides root may control the mount. */
  readonly ownerUid: number;
  /** How names are stored; NESTED_NAMES unless told otherwise. */
  readonly names?: NameForm;
  /** Nobody but root and the owner gets in, though the kernel lets everybody ask. */
  readonly refusesOthers?: boolean;
  /** fsync does nothing: the upper is thrown away after use. */
  readonly volatile: boolean;
  /** Of more inodes those that nobody uses are kept as records; as many as are worth it if undefined. */
  readonly awakeInodes?: number | undefined;
  /** How long the kernel may believe names and attributes at most; for ever unless told otherwise. */
  readonly believedSeconds?: number;
  /**
   * If there: when the session ends, files that are copied up in part are filled in, however long
   * it takes, but for somebody who waits for the upper.
   */
  readonly isUpperAwaited?: () => boolean;
  /** If there, the upper can be frozen. */
  readonly freezer?: Freezer;
  /** A descriptor on the upper's file system, for SYNCFS. */
  readonly syncFd: number | undefined;
  /** INIT is answered: the mount works. */
  readonly onReady: () => void;
  /** The command "shutdown" came. */
  readonly onShutdown: () => void;
}

/** A session's counters. */
export interface SessionStatistics {
  /** 0 before INIT. */
  readonly protocolMinor: number;
  readonly passthrough: boolean;
  /** Inodes the kernel knows. */
  readonly inodes: number;
  /** Those of them that are kept as records. */
  readonly dormantInodes: number;
  /** Open files and directories. */
  readonly openFiles: number;
  readonly paused: boolean;
  readonly heldRequests: number;
  /** Files that nobody can write at the moment. */
  readonly heldFiles: number;
  readonly uptimeMs: number;
  /** How many requests came, by opcode. */
  readonly requests: Readonly<Record<string, number>>;
}

/** Replies that can't be written again and again mean a broken connection, not a broken request. */
const MAX_READ_FAILURES = 100;
const PAUSE_POLL_MS = 20;

/** The state all handlers work on. */
export class FuseSession {
  readonly fuseFd: number;
  readonly overlay: Overlay;
  readonly options: SessionOptions;
  readonly log: Log;
  readonly slow: SlowRequests;
  readonly names: NameForm;
  readonly request: Request;
  readonly reply = new Reply(MAX_WRITE_BYTES);
  readonly inodes: InodeTable;
  readonly files = new OpenFiles();
  readonly passthrough: Passthrough;
  readonly pause = new Pause();
  readonly writers: PastWriters;
  readonly moved = new MovedFiles();
  readonly holds = new Holds();
  readonly labels = new Labels();
  /** What a request leaves to be done after its answer. */
  readonly later = new Later((error) => this.log.failure("clean up", error));
  readonly background: Background;
  readonly readAhead: ReadAhead;
  readonly walkAhead: WalkAhead;
  readonly attributesAhead: AttributesAhead;
  readonly directReads = new DirectReads();
  agreement: Agreement | undefined;
  readonly #refusesOthers: boolean;
  readonly #notice = new Reply(0);
  readonly #source: RequestSource;
  readonly #counts = new Uint32Array(OPCODE_LIMIT);
  readonly #startedMs = Date.now();
  readonly #preparation: Preparation;

  constructor(
    fuseFd: number,
    overlay: Overlay,
    parts: { readonly options: SessionOptions; readonly log: Log; readonly slow: SlowRequests },
  ) {
    this.fuseFd = fuseFd;
    this.overlay = overlay;
    this.options = parts.options;
    this.names = parts.options.names ?? NESTED_NAMES;
    this.request = new Request(MAX_WRITE_BYTES, this.names);
    this.#refusesOthers = parts.options.refusesOthers === true;
    this.log = parts.log;
    this.slow = parts.slow;
    this.reply.generation = newGeneration();
    const { believedSeconds } = parts.options;
    if (believedSeconds !== undefined) this.reply.believeFor(believedSeconds);
    const inodes = new InodeTable(overlay, parts.options.awakeInodes);
    this.inodes = inodes;
    this.readAhead = new ReadAhead(overlay, (node) => giftBytes(overlay, inodes, node));
    this.writers = new PastWriters(overlay);
    const { buffer } = this.request;
    const device = {
      read: () => tryRead(fuseFd, buffer),
      setBlocking: (blocking: boolean) => setBlocking(fuseFd, blocking),
      wait: (milliseconds: number) => this.#waits(milliseconds),
    };
    const wakeups = FastWakeups.here(parts.options.fastWakeups, cpus().length);
    this.walkAhead = new WalkAhead(overlay, parts.log);
    this.attributesAhead = new AttributesAhead(overlay, this.later);
    const work = { ahead: this.walkAhead, later: this.later };
    this.#source = new RequestSource(device, availableParallelism(), wakeups, work);
    this.passthrough = new Passthrough(fuseFd, overlay, parts.log);
    const slow = parts.options.volatile ? undefined : parts.slow;
    this.#preparation = new Preparation(overlay.rehearsal, parts.log);
    this.background = new Background(overlay.filling, slow, parts.log);
  }

  /** Serves until the file system is unmounted or its connection cut. */
  run(): void {
    for (;;) {
      if (this.pause.isPaused && !this.#mayRead()) continue;
      const held = this.pause.next();
      if (held !== undefined) this.request.load(held);
      else if (!this.#read()) break;
      this.#serve();
    }
    this.#closeAll();
    const { isUpperAwaited } = this.options;
    if (isUpperAwaited !== undefined) this.background.finish(isUpperAwaited);
  }

  /** Does what can wait until the next request is there, if anything can. */
  readonly #useIdleTime = (): void => {
    const { background } = this;
    while (this.#preparation.isDue(!this.pause.isPaused) && this.#isIdle()) {
      this.#preparation.step(!this.pause.isPaused);
    }
    if (this.overlay.isBehind) {
      if (this.#waits(CATCH_UP_MS)) return;
      catchUp(this.overlay, this.log);
    }
    for (let wasIdle = false; background.hasWork && !this.pause.isPaused; wasIdle = true) {
      if (this.#waits(background.waitMs(wasIdle))) return;
      background.step();
    }
  };

  /** Waits so long for a request; true where one is there. */
  #waits(milliseconds: number): boolean {
    return poll([{ fd: this.fuseFd, events: POLLIN }], milliseconds)[0] !== 0;
  }

  /** Nobody asks for anything now. */
  #isIdle(): boolean {
    return !this.#waits(0);
  }

  /** While paused: true when a request is there to be read. Ends the pause when its lock is free. */
  #mayRead(): boolean {
    if (this.slow.isReleased(this.pause.ticket)) {
      this.pause.end();
      return true;
    }
    this.later.doAll();
    return this.#waits(PAUSE_POLL_MS);
  }

  /** Reads the next request; false when there will be none. */
  #read(): boolean {
    for (let failures = 0; failures < MAX_READ_FAILURES; failures++) {
      const count = this.#source.read(this.#useIdleTime);
      if (count > 0) {
        this.request.lengthBytes = count;
        return true;
      }
      // ENODEV: unmounted; ECONNABORTED: cut. ENOENT: the request was given up while we read it.
      if (count === -errno.ENODEV || count === -ECONNABORTED) return false;
      if (count === -errno.ENOENT || count === -errno.EINTR) failures -= 1;
      else this.log.write(`read from /dev/fuse: ${errnoName(-count)}`);
    }
    return false;
  }

  #serve(): void {
    const { request } = this;
    const code = request.opcode;
    const { uniqueLow, uniqueHigh } = request;
    if (this.pause.isPaused && changesUpper(request)) {
      this.pause.hold(request);
      return;
    }
    const result = this.#answer(code);
    if (result === NO_REPLY) return;
    const sent =
      result < 0
        ? this.send(uniqueLow, uniqueHigh, result, 0)
        : this.send(uniqueLow, uniqueHigh, 0, result);
    if (!sent && result >= 0) undo(this, code, result);
    this.inodes.settle();
  }

  /** Runs the handler; what it throws becomes an errno. Nothing thrown leaves this. */
  #answer(code: number): number {
    try {
      const handler = handlers[code];
      if (handler === undefined) return -errno.ENOSYS;
      this.#counts[code] = (this.#counts[code] ?? 0) + 1;
      if (this.#refusesOthers && isRefused(this.request, this.options.ownerUid))
        return -errno.EACCES;
      return handler(this);
    } catch (error) {
      if (isFsError(error)) return -error.errno;
      this.log.failure(`request ${code}`, error);
      return -errno.EIO;
    }
  }

  /** Writes a reply. False when the kernel has given the request up meanwhile. */
  send(uniqueLow: number, uniqueHigh: number, error: number, payloadBytes: number): boolean {
    const lengthBytes = this.reply.header(uniqueLow, uniqueHigh, error, payloadBytes);
    return this.#write(this.reply.buffer, lengthBytes, uniqueLow, uniqueHigh);
  }

  /** Writes a reply that somebody has put together, header and all. */
  sendMessage(message: Buffer, uniqueLow: number, uniqueHigh: number): void {
    this.#write(message, message.length, uniqueLow, uniqueHigh);
  }

  #write(message: Buffer, lengthBytes: number, uniqueLow: number, uniqueHigh: number): boolean {
    const count = tryWrite(this.fuseFd, message, lengthBytes);
    if (count === lengthBytes) return true;
    if (count === -errno.ENOENT || count === -errno.ENODEV) return false;
    // The kernel refuses a reply that makes no sense; the caller must not wait for another.
    this.log.write(`write to /dev/fuse: ${errnoName(-count)}`);
    if (message.readInt32LE(4) === 0) this.send(uniqueLow, uniqueHigh, -errno.EIO, 0);
    return false;
  }

  /** Tells the kernel that what it remembers of an inode's attributes is no longer so. */
  notifyAttributesChanged(nodeId: number): void {
    const notice = this.#notice;
    notice.u64(OUT_HEADER_BYTES, nodeId);
    notice.u64(OUT_HEADER_BYTES + 8, -1); // A negative offset leaves the pages alone.
    notice.u64(OUT_HEADER_BYTES + 16, 0);
    // ENOENT: the kernel has no such inode any more.
    tryWrite(this.fuseFd, notice.buffer, notice.header(0, 0, NOTIFY_INVAL_INODE, 24));
  }

  /**
   * Puts the whole content of a file into the kernel's page cache: the bytes of `reply` that
   * follow the headers of reply and notice.
   */
  storeContent(nodeId: number, sizeBytes: number): void {
    const { reply } = this;
    reply.u64(OUT_HEADER_BYTES, nodeId);
    reply.u64(OUT_HEADER_BYTES + 8, 0);
    reply.u64(OUT_HEADER_BYTES + 16, sizeBytes); // size, and four bytes of padding
    const lengthBytes = reply.header(0, 0, NOTIFY_STORE, STORE_BYTES + sizeBytes);
    tryWrite(this.fuseFd, reply.buffer, lengthBytes);
  }

  /** INIT. */
  init(): number {
    const { passthrough, maxStackDepth, posixAcl } = this.options;
    const { agreement, result } = negotiate(this.request, this.reply, {
      passthrough: passthrough !== "off",
      maxStackDepth,
      posixAcl,
    });
    if (agreement !== undefined) {
      this.agreement = agreement;
      this.passthrough.enabled = agreement.passthrough;
      this.#preparation.warmUp = new WarmUp(this.overlay, this.inodes, this.reply);
      this.options.onReady();
    }
    return result;
  }

  /** Counters, for people and tests. */
  statistics(): SessionStatistics {
    const requests: Record<string, number> = {};
    this.#counts.forEach((count, code) => {
      if (count > 0) requests[String(code)] = count;
    });
    return {
      protocolMinor: this.agreement?.minor ?? 0,
      passthrough: this.passthrough.enabled,
      inodes: this.inodes.size,
      dormantInodes: this.inodes.dormant,
      openFiles: this.files.size,
      paused: this.pause.isPaused,
      heldRequests: this.pause.heldCount,
      heldFiles: this.holds.count,
      uptimeMs: Date.now() - this.#startedMs,
      requests,
    };
  }

  /** After the last request: the kernel sends no RELEASE for what is open at a forced end. */
  #closeAll(): void {
    this.#source.close();
    this.later.doAll();
    this.readAhead.close();
    this.walkAhead.close();
    this.directReads.close();
    this.moved.close();
    for (const open of this.files.values()) {
      try {
        if (open instanceof OpenFile) open.opened?.close();
        else open.directory.close();
      } catch (error) {
        this.log.failure("close", error);
      }
    }
  }
}

const ECONNABORTED = 103;
