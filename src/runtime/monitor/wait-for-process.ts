// Waiting for processes that a runtime left to this process: it must be their subreaper first.

import { reap } from "../../sys/index.js";

const PULSE_MS = 1000;

/**
 * The exit status of a child that node knows nothing of (0..255, 128 + n after signal n). Throws
 * FsError ECHILD when it is none.
 */
export async function waitForProcess(pid: number): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    const look = (): void => {
      try {
        const status = reap(pid);
        if (status === undefined) return;
        stop();
        resolve(status);
      } catch (error) {
        stop();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const stop = (): void => {
      process.off("SIGCHLD", look);
      clearInterval(pulse);
    };
    // A listener for signals alone does not keep this process from ending.
    const pulse = setInterval(look, PULSE_MS);
    process.on("SIGCHLD", look);
    look();
  });
}
