// How a monitor and its container's mount process begin: at the same time, because the start of Node.js is most of what both do
// at first. A shell forks the one and becomes the other, so that the mount process is the monitor's child.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, createReadStream, createWriteStream, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type MountedProcess, mountBy, PROCESS_FILE } from "../../fuse/mount/mount-in-process.js";
import type { MountJob } from "../../fuse/mount/mount-job.js";
import { environmentWithoutCertificates, programFile } from "../../program-files.js";
import { waitForProcess } from "../../runtime/monitor/wait-for-process.js";
import { makePipe } from "../../sys/index.js";

const MONITOR_FILE = fileURLToPath(programFile("monitor"));

/** Descriptors of the monitor: its first client, and the ends of its mount process's pipes. */
export const STARTER_FD = 3;
const JOB_FD = 5;
const REPORT_FD = 6;

/** Of the mount process: 3 is its job's end, 4 its report's. What it does not close would keep it from hearing its job's end. */
const START_BOTH = `
"$0" "$1" "$2" 3<&4 4>&7 5>&- 6<&- 7>&- &
exec "$0" "$3" "$4" $! 4<&- 7>&-`;

/**
 * Starts both; `home` is the container's directory, `target` where it is going to be mounted. A monitor that ends before it has a
 * job takes the mount process along. Resolves when there are processes.
 */
export async function startMonitor(
  home: string,
  { target, logFile }: MountJob,
): Promise<ChildProcess> {
  const log = openSync(logFile, "a", 0o600);
  const job = makePipe();
  const report = makePipe();
  const ends = [job.readEnd, job.writeEnd, report.readEnd, report.writeEnd];
  try {
    const words = [process.execPath, PROCESS_FILE, target, MONITOR_FILE, home];
    const child = spawn("sh", ["-c", START_BOTH, ...words], {
      detached: true,
      cwd: "/",
      env: environmentWithoutCertificates(),
      stdio: ["ignore", log, log, "pipe", ...ends],
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    child.unref();
    return child;
  } finally {
    for (const fd of [log, ...ends]) closeSync(fd);
  }
}

/** In the monitor: has the mount process that began with it mount. Call once. Rejects as mountInProcess. */
export async function mountByOwnProcess(job: MountJob): Promise<MountedProcess> {
  const pid = Number(process.argv[3]);
  return await mountBy(
    {
      pid,
      job: createWriteStream("", { fd: JOB_FD }),
      report: createReadStream("", { fd: REPORT_FD }),
      ended: waitForProcess(pid).then(() => undefined),
    },
    job,
  );
}
