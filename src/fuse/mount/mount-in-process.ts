// Starting and ending mount processes, from the outside. These functions never touch the mounted
// tree itself.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync } from "node:fs";
import { sep } from "node:path";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { EngineError, errno, isFsError } from "../../errors.js";
import { hasCode } from "../../node-errors.js";
import { bytesOf } from "../../path.js";
import { environmentWithoutCertificates, programFile } from "../../program-files.js";
import { readKernelFile, umount2, unmountRootless } from "../../sys/index.js";
import { detach } from "./attach.js";
import type { FuseDriver, MountJob, MountReport } from "./mount-job.js";
import { findMount, type MountEntry, STRATA_MOUNT_TYPE } from "./mount-table.js";

/** Its one argument is the target. */
export const PROCESS_FILE = fileURLToPath(programFile("mount-process"));
const BUSY_RETRY_MS = 50;
const BUSY_RETRIES = 20;
const GONE_POLL_MS = 5;
/** It may have to wait for a disk that others write to. */
const GONE_TIMEOUT_MS = 60_000;
/** A lazy unmount: somebody may use it for hours. */
const LAZY_TIMEOUT_MS = 10_000;
/** Programs that have ended let go of their files and namespaces within that. */
const LET_GO_MS = 500;

/** A mount that stands, served by a process of its own until it is unmounted. */
export interface MountedProcess {
  readonly pid: number;
  readonly target: string;
  readonly driver: FuseDriver;
  /** What the user should know of this mount: one line. */
  readonly notice?: string;
  /** When the mount process ends; told only while this process lives. */
  readonly ended: Promise<void>;
}

/**
 * Mounts in a new process, which outlives this one. Resolves when the tree can be used.
 * Rejects with EngineError UNAVAILABLE and the process's own message.
 */
export async function mountInProcess(job: MountJob): Promise<MountedProcess> {
  return await startMountProcess(job.target, job.logFile).mount(job);
}

/** A mount process that has started and waits to be told what to mount. Call one of both, once. */
export interface WaitingMountProcess {
  /** `job` has the target and the log that the process was started with. Rejects as mountInProcess. */
  mount(job: MountJob): Promise<MountedProcess>;
  /** It is not needed: it ends. */
  end(): Promise<void>;
}

/** Starts a mount process before all is known that it is to mount: its start takes most of the time. */
export function startMountProcess(target: string, logFile: string): WaitingMountProcess {
  const log = openSync(logFile, "a", 0o600);
  // The target is an argument only for people who read `ps`, and for findMountProcess.
  const child = spawn(process.execPath, [PROCESS_FILE, target], {
    detached: true,
    cwd: "/",
    env: environmentWithoutCertificates(),
    stdio: ["ignore", log, log, "pipe", "pipe"],
  });
  closeSync(log);
  const started = new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  // Whoever asks for the mount hears why there is no process, however much later that is.
  const isStarted = started.then(
    () => true,
    () => false,
  );
  const ended = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  return {
    async mount(job) {
      await started;
      const [, , , jobPipe, reportPipe] = child.stdio;
      const pipes = { job: jobPipe as Writable, report: reportPipe as Readable };
      const mounted = await mountBy({ pid: child.pid ?? 0, ended, ...pipes }, job);
      child.unref();
      return mounted;
    },
    async end() {
      if (!(await isStarted)) return;
      (child.stdio[3] as Writable).end();
      await ended;
    },
  };
}

/** A mount process that has started, with `job` and `report` the other ends of its pipes. */
export interface StartedMountProcess {
  readonly pid: number;
  readonly job: Writable;
  readonly report: Readable;
  readonly ended: Promise<void>;
}

/** Has it mount. As mountInProcess. */
export async function mountBy(
  { pid, ended, ...pipes }: StartedMountProcess,
  job: MountJob,
): Promise<MountedProcess> {
  // Where it has ended, there is no report either.
  pipes.job.on("error", () => undefined);
  pipes.job.end(JSON.stringify(job));
  const report = parseReport(await text(pipes.report), job.logFile);
  if ("error" in report) {
    // Until then the upper is in use, and what was made for the mount can't be removed.
    await ended;
    throw new EngineError("UNAVAILABLE", `Cannot mount "${job.target}": ${report.error}`);
  }
  const { driver, notice } = report;
  const mounted = { pid, target: job.target, driver, ended };
  return notice === undefined ? mounted : { ...mounted, notice };
}

function parseReport(line: string, logFile: string): MountReport {
  if (line === "") return { error: `the mount process ended at once (see ${logFile})` };
  return JSON.parse(line) as MountReport;
}

/** How to unmount. */
export interface UnmountOptions {
  /** The mount process; found by its arguments if absent. */
  readonly pid?: number;
  /** A mount in use is taken out of the tree now, and ends when its last user does. */
  readonly lazy?: boolean;
  /**
   * It is needed no more. Whoever uses it all the same loses it, soon: a program with a file open, and another mount
   * namespace, which might keep it for as long as that lives.
   */
  readonly kill?: boolean;
}

/** "used": somebody uses it still (lazy), or has lost it (kill). */
export type Unmounted = "free" | "used";

/**
 * Unmounts and waits until the mount process is gone, so that the upper may be used by others.
 * Throws EngineError NOT_FOUND (no mount of ours there) or IN_USE.
 */
export async function unmount(target: string, options: UnmountOptions = {}): Promise<Unmounted> {
  const entry = findMount(target);
  if (entry?.type !== STRATA_MOUNT_TYPE) {
    throw new EngineError("NOT_FOUND", `Cannot unmount "${target}": nothing of strata is mounted`);
  }
  const pid = options.pid ?? findMountProcess(target);
  const { kill = false, lazy = false } = options;
  if (lazy || !(await unmountWhenFree(target, { orLeave: kill }))) detach(target);
  if (pid === undefined) return "free";
  const limitMs = lazy ? LAZY_TIMEOUT_MS : GONE_TIMEOUT_MS;
  for (let waited = 0; isRunning(pid); waited += GONE_POLL_MS) {
    const isOver = waited > limitMs;
    if (kill && (isOver || (waited > LET_GO_MS && isStillThere(entry)))) {
      await killMountProcess(pid);
      return "used";
    }
    if (isOver && lazy) return "used";
    if (isOver) {
      // Namespaces come and go with programs that have nothing to do with it: they get their time.
      const state = isStillThere(entry) ? "another mount namespace uses it" : "it has not ended";
      throw new EngineError(
        "IN_USE",
        `Cannot unmount "${target}": ${state}; process ${pid} goes on`,
      );
    }
    await sleep(GONE_POLL_MS);
  }
  return "free";
}

/** True while anybody uses the file system: as long as that the kernel shows its "backing device". */
function isStillThere({ device }: MountEntry): boolean {
  return existsSync(`/sys/class/bdi/${device}`);
}

/** A mount is busy for a moment after its last user has gone: tries for a second. False where it stays so. */
async function unmountWhenFree(
  target: string,
  { orLeave }: { readonly orLeave: boolean },
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      umount2(bytesOf(target), 0);
      return true;
    } catch (error) {
      if (isFsError(error, errno.EPERM)) return unmountForUser(target, orLeave);
      if (!isFsError(error, errno.EBUSY)) throw error;
      if (tries > BUSY_RETRIES) {
        if (orLeave) return false;
        throw new EngineError("IN_USE", `Cannot unmount "${target}": it is in use`);
      }
    }
    await sleep(BUSY_RETRY_MS);
  }
}

function unmountForUser(target: string, orLeave: boolean): boolean {
  try {
    unmountRootless(bytesOf(target));
    return true;
  } catch (error) {
    // fusermount3 has one status for all that it refuses.
    if (orLeave && error instanceof EngineError) return false;
    throw error;
  }
}

/** The process that serves a target, by its arguments. */
export function findMountProcess(target: string): number | undefined {
  return mountProcesses().find((one) => one.target === target)?.pid;
}

/**
 * Kills all that serve a target below a directory, or are about to, and waits until they are gone: for
 * targets of which nobody knows any more. What was mounted stays, and answers ENOTCONN.
 */
export async function killMountProcesses(directory: string): Promise<void> {
  const pids = mountProcesses()
    .filter(({ target }) => target.startsWith(directory + sep))
    .map(({ pid }) => pid);
  await killAll(pids);
}

/** Kills one that somebody may still use the mount of: they get ENOTCONN. Waits until it is gone. */
export async function killMountProcess(pid: number): Promise<void> {
  await killAll([pid]);
}

async function killAll(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (!hasCode(error, "ESRCH")) throw error;
    }
  }
  for (let waited = 0; pids.some(isRunning) && waited < GONE_TIMEOUT_MS; waited += GONE_POLL_MS) {
    await sleep(GONE_POLL_MS);
  }
}

/** All that run now. */
function mountProcesses(): { readonly pid: number; readonly target: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const pid = Number(name);
    const argv = (readKernelFile(`/proc/${pid}/cmdline`, "utf8") ?? "").split("\0");
    const file = argv.indexOf(PROCESS_FILE);
    const target = argv[file + 1];
    return file > 0 && target !== undefined && isRunning(pid) ? [{ pid, target }] : [];
  });
}

/**
 * A zombie is gone: it only waits for its parent to look. But a process whose main thread alone
 * has ended shows as one, too; its other threads hold the mount.
 */
function isRunning(pid: number): boolean {
  const stat = readKernelFile(`/proc/${pid}/stat`);
  if (stat === undefined) return false;
  // After the name in parentheses: state is the third field, num_threads the twentieth.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return !/^[ZX]/.test(fields[0] ?? "") || Number(fields[17]) > 1;
}
