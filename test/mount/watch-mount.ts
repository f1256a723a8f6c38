// The conformance cases on a mount of ours, which is gone afterwards.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type MountJob, mountInProcess } from "../../src/fuse/index.js";
import { type CaseResult, type WatchOptions, watchCases } from "./watch-cases.js";

const GONE_TIMEOUT_MS = 60_000;

/** Mounts, runs the cases, unmounts. Throws when the mount fails, or its process does not end. */
export async function watchMount(
  job: MountJob,
  options: Pick<WatchOptions, "fixture" | "only">,
): Promise<CaseResult[]> {
  const { pid } = await mountInProcess(job);
  // With its server gone the connection is aborted, and whoever waits for it gets ENOTCONN.
  const abort = (): void => {
    process.kill(pid, "SIGKILL");
  };
  try {
    return await watchCases({ ...options, root: job.target, abort });
  } finally {
    if (process.geteuid?.() === 0) execFileSync("umount", ["--lazy", job.target]);
    else execFileSync("fusermount3", ["-u", "-z", job.target]);
    await gone(pid);
  }
}

/** Waits for the mount process to end, and ends it if it does not. */
async function gone(pid: number): Promise<void> {
  const limit = Date.now() + GONE_TIMEOUT_MS;
  while (existsSync(`/proc/${pid}`)) {
    if (Date.now() > limit) {
      process.kill(pid, "SIGKILL");
      throw new Error(`the mount process ${pid} did not end after unmounting`);
    }
    await sleep(20);
  }
}
