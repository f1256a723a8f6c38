// How much memory a command takes at most: its own and that of all it starts, as the kernel counts it.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { hasCode } from "../../src/node-errors.js";

/** The kernel's own peaks only grow: what is missed is what a process takes in its last so many ms. */
const LOOK_EVERY_MS = 10;

export interface Measured {
  readonly status: number | null;
  /** The sum of the peaks of its processes; threads belong to theirs. */
  readonly peakBytes: number;
  readonly stderr: string;
}

/** Runs a program to its end, or for `timeoutMs` at most. */
export async function measurePeak(
  command: string,
  args: readonly string[],
  timeoutMs = 120_000,
): Promise<Measured> {
  const child = spawn(command, [...args], {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const peaks = new Map<number, number>();
  const complaints: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => complaints.push(chunk));
  const { pid } = child;
  const timer = setInterval(() => {
    if (pid !== undefined) look(pid, peaks);
  }, LOOK_EVERY_MS);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", resolve);
    });
    const peakBytes = [...peaks.values()].reduce((sum, peak) => sum + peak, 0);
    return { status, peakBytes, stderr: Buffer.concat(complaints).toString("utf8") };
  } finally {
    clearInterval(timer);
    // Something that it started may keep the other end.
    child.stderr.destroy();
  }
}

/** The peak of one process so far; 0 when it has ended. Throws when there is none. */
export function peakOf(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** A process and those below it. */
function look(pid: number, peaks: Map<number, number>): void {
  try {
    // Who has ended, and is not waited for yet, has no memory any more.
    peaks.set(pid, Math.max(peakOf(pid), peaks.get(pid) ?? 0));
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    for (const child of children.split(" ").filter((text) => text !== "")) {
      look(Number(child), peaks);
    }
  } catch (error) {
    // It has ended meanwhile.
    if (!hasCode(error, "ENOENT", "ESRCH")) throw error;
  }
}
