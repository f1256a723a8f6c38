// Which driver serves a mount, where the job doesn't say. Asked before anything is loaded: a mount
// waits for this process to be up.

import { CAP_SYS_ADMIN, hasCapability } from "../../sys/credentials.js";
import { onPath } from "../../sys/programs.js";
import type { FuseDriver, MountJob } from "./mount-job.js";

/** A driver, and what there is to say about it. */
export interface DriverChoice {
  readonly driver: FuseDriver;
  /** For the log and the user: one line. */
  readonly notice?: string;
}

/** Our own session wherever /dev/fuse can be driven directly. */
export function chooseDriver(job: MountJob): DriverChoice {
  if (job.driver !== undefined) return { driver: job.driver };
  const why = whyNotDirectly();
  if (why === undefined) return { driver: "dev-fuse" };
  return { driver: "fuse-native", notice: `Using the slower driver fuse-native: ${why}` };
}

/**
 * Why this process can't get at a connection of its own although libfuse 2 can; undefined where it
 * can, and where neither can: then our own error says more.
 */
function whyNotDirectly(): string | undefined {
  if (hasCapability(CAP_SYS_ADMIN) || onPath("fusermount3") !== undefined) return undefined;
  if (onPath("fusermount") === undefined) return undefined;
  return "there is no right to mount and no fusermount3, only fusermount of libfuse 2";
}
