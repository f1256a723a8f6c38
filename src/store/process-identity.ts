// Which process it is: a pid alone is used again and again, with its start time it is unique until
// the next boot. Linux only; elsewhere nobody is known to be alive.

import { readFileSync } from "node:fs";
import { hasCode } from "../node-errors.js";

/**
 * The start time of a living process, in clock ticks since boot (field 22 of proc_pid_stat(5));
 * undefined when there is no such process, or only its zombie.
 */
export function startTicks(pid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    // ESRCH: the process ended while its file was read.
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES")) return undefined;
    throw error;
  }
  // The second field is the command in brackets, which may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}
