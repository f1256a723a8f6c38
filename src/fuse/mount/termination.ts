// How a mount process is ended from outside, and how it ends itself at once.

/** Ends at once. process.exit() would wait for a thread that waits for the kernel. */
export function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("unreachable");
}

/** `stop` is called for each signal that asks the process to end. */
export function onTermination(stop: () => void): void {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop);
}
