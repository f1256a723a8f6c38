// Serving one mount in this process: its main thread keeps an event loop for signals; the session
// has a thread of its own (session-thread.ts), and so has waiting (slow-requests-thread.ts). With the
// driver fuse-native the main thread does all of it (native-service.ts). Who
// starts the process, and learns what became of the mount, is mount-process.ts's, or the caller's.

import { MessageChannel, Worker } from "node:worker_threads";
import { programFile } from "../../program-files.js";
import { Log } from "../session/log.js";
import { type HelperStart, SHARED_WORDS } from "../session/slow-requests.js";
import type * as Attaching from "./attach.js";
import { chooseDriver } from "./driver-choice.js";
import type { MountedMessage, MountJob, MountReport, SessionMessage } from "./mount-job.js";
import { die, onTermination } from "./termination.js";
import { yieldProcessors } from "./yield-processors.js";

/** The tables of a mount with millions of inodes in use; the default limit would end it. */
const SESSION_HEAP_MB = 4096;
const SESSION_YOUNG_MB = 32;

class MountService {
  readonly #job: MountJob;
  readonly #tell: (report: MountReport) => void;
  readonly #log: Log;
  readonly #session: Worker;
  /** Loaded while the session's thread, which has most to load, does the same. */
  readonly #attaching: Promise<typeof Attaching>;
  #helperStart: HelperStart | undefined;
  #readAheadKb = 0;
  #reported = false;
  /** What to detach with, once it is mounted. */
  #mounted: typeof Attaching | undefined;
  #detached = false;

  constructor(job: MountJob, tell: (report: MountReport) => void) {
    this.#job = job;
    this.#tell = tell;
    this.#log = new Log(job.logFd);
    yieldProcessors();
    this.#session = new Worker(programFile("session-thread"), {
      workerData: job,
      resourceLimits: {
        maxOldGenerationSizeMb: SESSION_HEAP_MB,
        maxYoungGenerationSizeMb: SESSION_YOUNG_MB,
      },
    });
    this.#attaching = import("./attach.js").then((attaching) => {
      // While the session's thread is loading: in the middle of a walk everybody would wait.
      attaching.makeRoomForLayers();
      return attaching;
    });
    this.#session.on("message", (message: SessionMessage) => this.#hear(message));
    this.#session.on("error", (error) => this.#fail(error));
    this.#session.on("exit", () => this.#fail(new Error("the session's thread ended")));
  }

  #hear(message: SessionMessage): void {
    switch (message.kind) {
      case "opened":
        this.#mount().catch((error: unknown) => this.#fail(error));
        return;
      case "ready":
        this.#mounted?.tuneCaches(this.#job.target, this.#readAheadKb);
        this.#report({ ready: true, driver: "dev-fuse" });
        return;
      case "failed":
        this.#fail(new Error(message.message));
        return;
      case "slow":
        this.#startHelper();
        return;
      case "shutdown":
        this.stop();
        return;
      case "ended":
        this.#end();
    }
  }

  async #mount(): Promise<void> {
    const attaching = await this.#attaching;
    this.#readAheadKb = attaching.readAheadKbOf(this.#job);
    const fuseFd = attaching.attach(this.#job);
    this.#mounted = attaching;
    const released = new Int32Array(new SharedArrayBuffer(4 * SHARED_WORDS));
    const { port1, port2 } = new MessageChannel();
    const mounted: MountedMessage = { fuseFd, slowPort: port1, released };
    this.#session.postMessage(mounted, [port1]);
    this.#helperStart = { fuseFd, released, port: port2, logFd: this.#job.logFd };
  }

  /** Messages to the helper that came before it was there wait in its port. */
  #startHelper(): void {
    const start = this.#helperStart;
    if (start === undefined) return;
    const helper = new Worker(programFile("slow-requests-thread"), {
      workerData: start,
      transferList: [start.port],
    });
    helper.on("error", (error) => this.#fail(error));
  }

  /** SIGTERM and the like: out of the tree at once, gone when the last user is. Again: at once. */
  stop(): void {
    if (this.#detached || this.#mounted === undefined) die();
    this.#detached = true;
    try {
      this.#mounted.detach(this.#job.target);
    } catch (error) {
      this.#log.failure("unmount", error);
    }
  }

  /** Whatever can't go on: nobody may be left waiting for a mount that nobody serves. */
  #fail(error: unknown): void {
    this.#log.failure("mount process", error);
    this.#report({ error: error instanceof Error ? error.message : String(error) });
    // No thread waits for the kernel yet: an end in order, which has a status.
    if (this.#mounted === undefined) process.exit(1);
    if (!this.#detached) this.stop();
    die();
  }

  #end(): void {
    this.#report({ error: "Unmounted before it was ready" });
    process.exit(0);
  }

  /** Once; afterwards whoever waits for us has what they need. */
  #report(report: MountReport): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#tell(report);
  }
}

/**
 * Mounts and serves; this process ends with the mount, and serves nothing else. `tell` hears once
 * whether the mount stands; after an error the process ends as soon as it returns, with status 1 if nothing was mounted. SIGTERM, SIGINT
 * and SIGHUP unmount.
 */
export function serveMount(job: MountJob, tell: (report: MountReport) => void): void {
  const { driver, notice } = chooseDriver(job);
  if (driver === "dev-fuse") {
    const mount = new MountService(job, tell);
    onTermination(() => mount.stop());
  } else {
    // Loaded here only: it brings libraries along.
    const starting = import("./native-service.js");
    starting.then(
      ({ serveNatively }) => serveNatively(job, notice, tell),
      (error: unknown) => {
        tell({ error: String(error) });
        process.exit(1);
      },
    );
  }
  process.on("uncaughtException", (error) => new Log(job.logFd).failure("uncaught", error));
}
