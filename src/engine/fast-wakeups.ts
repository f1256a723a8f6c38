// Whether processors sleep lightly for a mount's sake, as users write it: a mount option, or the environment.

import { EngineError } from "../errors.js";
import type { FastWakeupsUse } from "../fuse/index.js";

const WORDS: ReadonlyMap<string, FastWakeupsUse> = new Map([
  ["auto", "auto"],
  ["on", "on"],
  ["1", "on"],
  ["off", "off"],
  ["0", "off"],
] as const);

/** `name` is what it was written for ('option "fast_wakeups"'). Throws EngineError INVALID_ARGUMENT. */
export function parseFastWakeups(name: string, value: string): FastWakeupsUse {
  const use = WORDS.get(value);
  if (use !== undefined) return use;
  const state = `"${value}" is none of auto, on and off`;
  throw new EngineError("INVALID_ARGUMENT", `Cannot read ${name}: ${state}`);
}

/** It concerns the machine rather than one mount: no option of each command that mounts. Throws as parseFastWakeups. */
export function fastWakeupsOfEnvironment(environment: NodeJS.ProcessEnv): FastWakeupsUse {
  const name = "STRATA_FAST_WAKEUPS";
  const value = environment[name];
  return value === undefined || value === "" ? "auto" : parseFastWakeups(`"${name}"`, value);
}
