// Which process it is: a pid alone is used again and again, with its start time it is unique until
// the next boot. Linux only; elsewhere nobody is known to be alive.

import { readKernelFile } from "../sys/index.js";

/**
 * The start time of a living process, in clock ticks since boot (field 22 of proc_pid_stat(5));
 * undefined when there is no such process, or only its zombie.
 */
export function startTicks(pid: number): string | undefined {
  const text = readKernelFile(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field is the command in brackets, which may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}
