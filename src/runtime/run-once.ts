// One program in a container of its own, in the foreground: for the steps of a build. Nothing of it
// is kept. Its standard streams are pipes (or this process's own), so that it may open /dev/stdout.

import { spawn } from "node:child_process";
import { closeSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import { makePipe } from "../sys/index.js";
import { OciRuntime } from "./oci-runtime.js";
import { findRuntime, type RuntimeProgram } from "./runtime-program.js";
import { loggedError, StartError } from "./start-error.js";

/** What is run, and where its output goes. */
export interface RunOnceJob {
  /** The root: a directory, mounted already. */
  readonly rootfs: string;
  /** config.json; its `root.path` becomes `rootfs`. */
  readonly spec: { readonly root?: { readonly readonly?: boolean | undefined } | undefined };
  /** A directory for config.json and the runtime's state; made when missing, left with config.json. */
  readonly bundleDirectory: string;
  /** Nothing if absent. */
  readonly stdin?: Readable;
  /** The output as it comes; "inherit": this process's own streams. */
  readonly onOutput: ((stream: "stdout" | "stderr", bytes: Buffer) => void) | "inherit";
  /** Kills the program and all its children. */
  readonly signal?: AbortSignal;
  /** Chosen if absent (runtime-program.ts). */
  readonly runtime?: RuntimeProgram;
}

/** How it ended: 0..255, 128 + n after signal n. */
export interface RunOnceResult {
  readonly exitStatus: number;
}

const CONTAINER_ID = "step";
const ABORT_PAUSE_MS = 20;

/**
 * Runs the program to its end. Throws StartError when it did not start (status 126 not executable,
 * 127 not found), the signal's reason when that was aborted; then nothing of it runs any more.
 */
export async function runOnce(job: RunOnceJob): Promise<RunOnceResult> {
  job.signal?.throwIfAborted();
  const stateDirectory = join(job.bundleDirectory, "state");
  const runtime = new OciRuntime(job.runtime ?? findRuntime(), { stateDirectory });
  mkdirSync(job.bundleDirectory, { recursive: true });
  const spec = { ...job.spec, root: { ...job.spec.root, path: job.rootfs } };
  writeFileSync(join(job.bundleDirectory, "config.json"), JSON.stringify(spec));
  const logFile = runtime.freshLogFile();
  const [program, words] = runtime.commandLine(
    ["run", "--bundle", job.bundleDirectory, CONTAINER_ID],
    logFile,
  );
  try {
    const exitStatus = await attend(program, words, job, async () => {
      await runtime.delete(CONTAINER_ID, { force: true });
    });
    job.signal?.throwIfAborted();
    const failure = exitStatus === 0 ? undefined : loggedError(logFile);
    if (failure !== undefined) throw new StartError("the program", failure);
    return { exitStatus };
  } finally {
    rmSync(stateDirectory, { recursive: true, force: true });
  }
}

/** Runs the runtime in the foreground, moves its streams, ends it when the signal says so. */
async function attend(
  program: string,
  words: readonly string[],
  job: RunOnceJob,
  remove: () => Promise<void>,
): Promise<number> {
  const { onOutput } = job;
  const pipes = onOutput === "inherit" ? undefined : { out: makePipe(), err: makePipe() };
  const input = job.stdin === undefined ? undefined : makePipe();
  const child = spawn(program, words, {
    cwd: job.bundleDirectory,
    stdio: [
      input?.readEnd ?? "ignore",
      pipes?.out.writeEnd ?? "inherit",
      pipes?.err.writeEnd ?? "inherit",
    ],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + signalNumberOf(signal)));
  });
  for (const end of [input?.readEnd, pipes?.out.writeEnd, pipes?.err.writeEnd]) {
    if (end !== undefined) closeSync(end);
  }
  // The runtime in the foreground ends with its container, which it may be about to make.
  const abort = (): void => void removeUntil(ended, remove);
  job.signal?.addEventListener("abort", abort, { once: true });
  const moved: Promise<unknown>[] = [];
  if (pipes !== undefined && onOutput !== "inherit") {
    moved.push(drain(pipes.out.readEnd, (bytes) => onOutput("stdout", bytes)));
    moved.push(drain(pipes.err.readEnd, (bytes) => onOutput("stderr", bytes)));
  }
  const feeding =
    input === undefined
      ? undefined
      : new Socket({ fd: input.writeEnd, readable: false, writable: true });
  const fed =
    job.stdin === undefined || feeding === undefined
      ? Promise.resolve()
      : pipeline(job.stdin, feeding).catch(ignoreClosed);
  try {
    const status = await ended.finally(() => feeding?.destroy());
    await Promise.all([...moved, fed]);
    return status;
  } finally {
    job.signal?.removeEventListener("abort", abort);
  }
}

/** Removes again and again until the runtime has ended: what it refuses now it may do then. */
async function removeUntil(ended: Promise<unknown>, remove: () => Promise<void>): Promise<void> {
  const over = ended.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([over, sleep(ABORT_PAUSE_MS, false)]))) {
    await remove().catch((error: unknown) => {
      if (!(error instanceof EngineError)) throw error;
    });
  }
}

function signalNumberOf(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : constants.signals[signal];
}

/** Reads a pipe to its end. */
async function drain(fd: number, onBytes: (bytes: Buffer) => void): Promise<void> {
  for await (const chunk of new Socket({ fd, readable: true, writable: false })) {
    onBytes(chunk as Buffer);
  }
}

/** A program may end without reading all of its input. */
function ignoreClosed(error: unknown): void {
  if (!hasCode(error, "EPIPE", "ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE")) throw error;
}
