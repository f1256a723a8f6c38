// Entry file of the session's thread: opens the layers, waits for the mount, then serves it until
// it is gone. Mounting and signals are the main thread's (mount-process.ts).

import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../assert.js";
import { errno, isFsError } from "../../errors.js";
import type { Overlay } from "../../overlay/overlay.js";
import { bytesOf } from "../../path.js";
import {
  AT_FDCWD,
  becomeIoFlusher,
  close,
  FUSE_SUPER_MAGIC,
  O_DIRECTORY,
  O_RDONLY,
  OVERLAYFS_SUPER_MAGIC,
  openAt,
  statfsFd,
} from "../../sys/index.js";
import { FuseSession, type SessionOptions } from "../session/fuse-session.js";
import { Log } from "../session/log.js";
import type { PassthroughUse } from "../session/passthrough-choice.js";
import { SlowRequests } from "../session/slow-requests.js";
import {
  type MountedMessage,
  type MountJob,
  type SessionMessage,
  SMALL_FILE_BYTES,
} from "./mount-job.js";
import { freezerOption, namesOption, openOverlay } from "./open-overlay.js";
import { refusesOthers } from "./refuses-others.js";
import { tuneHeap } from "./tune-heap.js";
import { finishOption } from "./upper-wanted.js";

assert(parentPort !== null, "session-thread is a worker's entry file");
const port = parentPort;
const job = workerData as MountJob;
const log = new Log(job.logFd);

function tell(message: SessionMessage): void {
  port.postMessage(message);
}

function openDirectory(path: string): number {
  return openAt(AT_FDCWD, bytesOf(path), O_RDONLY | O_DIRECTORY);
}

/** Passthrough adds one to the depth of stacked file systems, of which the kernel allows two. */
function stackDepth(directories: readonly string[]): 1 | 2 {
  const stacked = directories.some((path) => {
    const fd = openDirectory(path);
    try {
      const { type } = statfsFd(fd);
      return type === OVERLAYFS_SUPER_MAGIC || type === FUSE_SUPER_MAGIC;
    } finally {
      close(fd);
    }
  });
  return stacked ? 2 : 1;
}

/** What must be known of the layers before the mount hides one: it may be mounted on a layer. */
interface LayerFacts {
  readonly maxStackDepth: 1 | 2;
  readonly syncFd: number | undefined;
}

function layerFacts(): LayerFacts {
  const { upper } = job;
  return {
    maxStackDepth: stackDepth([...job.lowers, ...(upper === undefined ? [] : [upper])]),
    syncFd: upper === undefined || job.readOnly === true ? undefined : openDirectory(upper),
  };
}

/**
 * Where others are to be refused here, the kernel must ask about every name: what it remembers it
 * would show to all.
 */
function accessOption(job: MountJob): Pick<SessionOptions, "refusesOthers" | "believedSeconds"> {
  const { timeoutSeconds } = job;
  if (refusesOthers(job)) return { refusesOthers: true, believedSeconds: 0 };
  return timeoutSeconds === undefined ? {} : { believedSeconds: timeoutSeconds };
}

/** Where nothing changes nobody can miss a change. */
function passthroughUse({ passthrough = "auto", readOnly }: MountJob): PassthroughUse {
  if (passthrough !== "auto") return passthrough;
  return readOnly === true ? "all" : "code";
}

function serve(overlay: Overlay, facts: LayerFacts, mounted: MountedMessage): void {
  const session = new FuseSession(mounted.fuseFd, overlay, {
    log,
    slow: new SlowRequests(mounted.slowPort, mounted.released, () => tell({ kind: "slow" })),
    options: {
      smallFileBytes: job.smallFileBytes ?? SMALL_FILE_BYTES,
      passthrough: passthroughUse(job),
      fastWakeups: job.fastWakeups ?? "auto",
      posixAcl: job.permissions !== "owner-only" && job.view?.hideAcls !== true,
      ...facts,
      ownerUid: process.geteuid?.() ?? 0,
      ...accessOption(job),
      volatile: job.volatile === true,
      awakeInodes: job.awakeInodes,
      ...finishOption(job),
      ...freezerOption(job),
      ...namesOption(job),
      onReady: () => tell({ kind: "ready" }),
      onShutdown: () => tell({ kind: "shutdown" }),
    },
  });
  becomeIoFlusher();
  tuneHeap();
  session.run();
  try {
    overlay.close();
  } catch (error) {
    log.failure("close", error);
  }
  tell({ kind: "ended" });
}

function sentenceOf(error: unknown): string {
  // The one error of opening layers that users cause and that says nothing to them.
  if (isFsError(error, errno.EBUSY)) {
    return `Cannot mount "${job.target}": workdir "${error.path}" is in use by another mount`;
  }
  return error instanceof Error ? error.message : String(error);
}

function start(): void {
  try {
    const overlay = openOverlay(job);
    const facts = layerFacts();
    port.once("message", (mounted: MountedMessage) => serve(overlay, facts, mounted));
    tell({ kind: "opened" });
  } catch (error) {
    log.failure("open layers", error);
    tell({ kind: "failed", message: sentenceOf(error) });
  }
}

start();
