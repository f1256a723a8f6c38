// Handing an upper over: a mount that has ended may still be filling partial files in, while the next
// one waits for its lock. A file in the work directory asks for it; what is left is the next one's.

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MountJob } from "./mount-job.js";

const WANTED = "wanted";

/** Runs `wait` while the mount that has the upper is asked to let go of it. */
export function askForUpper<T>(work: string, wait: () => T): T {
  const mark = join(work, WANTED);
  writeFileSync(mark, "", { mode: 0o600 });
  try {
    return wait();
  } finally {
    rmSync(mark, { force: true });
  }
}

/** The session's option that says whether and for how long partial files are filled in at the end. */
export function finishOption(job: MountJob): { readonly isUpperAwaited?: () => boolean } {
  const { work } = job;
  if (job.finishPartial !== true || work === undefined) return {};
  return { isUpperAwaited: () => existsSync(join(work, WANTED)) };
}
