// Whether a mount is for root and its owner alone, and the kernel can't see to it.

import type { MountJob } from "./mount-job.js";

/** True where the session has to refuse all others itself (session/access.ts). */
export function refusesOthers(job: MountJob): boolean {
  const { allowRoot, permissions } = job;
  return allowRoot === true && permissions !== "owner-only" && process.geteuid?.() !== 0;
}
