// When a container is started again by itself, and after what pause; and which are when the machine has started.
// https://docs.docker.com/engine/containers/start-containers-automatically/

import type { RestartPolicy } from "../../runtime/container-config.js";
import type { ContainerView } from "./view.js";

/** One run that has ended. */
export interface EndedRun {
  readonly exitCode: number;
  /** Restarts before it. */
  readonly count: number;
  readonly livedMs: number;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 60_000;
/** Who lived so long begins with the first pause again. */
const GOOD_LIFE_MS = 10_000;

/** Milliseconds until the next start; undefined when there is none. */
export function restartDelayMs(policy: RestartPolicy, run: EndedRun): number | undefined {
  if (!isWanted(policy, run)) return undefined;
  if (run.livedMs >= GOOD_LIFE_MS) return FIRST_PAUSE_MS;
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.min(run.count, 20), LONGEST_PAUSE_MS);
}

function isWanted(
  { name, maximumRetries }: RestartPolicy,
  { exitCode, count }: Omit<EndedRun, "livedMs">,
): boolean {
  switch (name) {
    case "no":
      return false;
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return exitCode !== 0 && (maximumRetries === 0 || count < maximumRetries);
  }
}

/** True for one that docker's daemon would start when it begins. What was never started is not. */
export function startsOnBoot({ config, ...state }: ContainerView): boolean {
  if (state.startedAt === undefined) return false;
  switch (config.restart.name) {
    case "unless-stopped":
      return !state.stoppedByUser;
    case "always":
      return true;
    case "on-failure":
    case "no":
      return isWanted(config.restart, { ...state, count: state.restartCount });
  }
}
