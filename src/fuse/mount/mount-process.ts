// Entry file of the process of one mount, as mount-in-process.ts starts it: the job comes as JSON on
// descriptor 3, the report goes to 4. All else is mount-service.ts.

import { closeSync, readFileSync, writeSync } from "node:fs";
import { Log } from "../session/log.js";
import type { MountJob, MountReport } from "./mount-job.js";
import { serveMount } from "./mount-service.js";

const JOB_FD = 3;
const REPORT_FD = 4;

/** Afterwards whoever waits for us has what they need. */
function report(said: MountReport): void {
  try {
    writeSync(REPORT_FD, `${JSON.stringify(said)}\n`);
    closeSync(REPORT_FD);
  } catch (error) {
    new Log().failure("report", error);
  }
}

function main(): void {
  const text = readFileSync(JOB_FD, "utf8");
  closeSync(JOB_FD);
  // Whoever started us needs no mount after all, or is gone.
  if (text === "") return;
  const job = JSON.parse(text) as MountJob;
  serveMount(job, report);
}

main();
