// Mounts for tests: each served by a process of its own, watched by another one that kills it when
// time is up (which cuts the connection, so that nobody waits for ever), and gone afterwards.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type MountJob, mountInProcess, unmount } from "../../src/fuse/index.js";
import { features } from "../../src/sys/index.js";

const TIME_LIMIT_SECONDS = 60;
const PATIENCE_MS = 30_000;

/** Why mount tests can't run here; false when they can. */
export const mountSkip: string | false = (() => {
  if (!features().root || !features().mount) return "needs root";
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
    return false;
  } catch (error) {
    return `needs /dev/fuse (${String(error)})`;
  }
})();

/** A scratch directory for the time of `use`. */
export async function withScratch<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "strata-mount-"));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Kills `pid` when the time is up, whatever this process is waiting for then. */
function watch(pid: number): ChildProcess {
  return spawn("sh", ["-c", `sleep ${TIME_LIMIT_SECONDS}; kill -9 ${pid}`], { stdio: "ignore" });
}

/** Takes a mount out of the tree, whoever serves it or does no more; nothing where there is none. */
export function detachIfMounted(target: string): void {
  spawnSync("umount", ["-l", target], { stdio: "ignore" });
}

/** Waits for what must come, for as long as a loaded machine may need. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`in vain for ${PATIENCE_MS} ms: ${what}`);
    await sleep(20);
  }
}

/** An overlay of memory layers (serve-memory.ts), mounted while `use` runs. */
export async function withMemoryMount(
  use: (target: string, scratch: string) => Promise<void> | void,
): Promise<void> {
  await withScratch(async (scratch) => {
    const target = join(scratch, "m");
    mkdirSync(target);
    const entry = fileURLToPath(new URL("./serve-memory.js", import.meta.url));
    const server = spawn(process.execPath, [entry, target], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const watcher = watch(server.pid ?? 0);
    try {
      await new Promise<void>((resolve, reject) => {
        server.stdout?.once("data", () => resolve());
        server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
      });
      await use(target, scratch);
    } finally {
      watcher.kill();
      detachIfMounted(target);
      server.kill("SIGKILL");
    }
  });
}

/** A mount by mountInProcess, unmounted (and its process gone) afterwards. */
export async function withMount(
  job: Omit<MountJob, "target" | "logFile"> & { readonly target: string },
  use: (pid: number) => Promise<void> | void,
): Promise<void> {
  const logFile = `${job.target}.log`;
  const mounted = await mountInProcess({ ...job, logFile });
  const watcher = watch(mounted.pid);
  try {
    await use(mounted.pid);
    await unmount(job.target, { pid: mounted.pid });
  } finally {
    watcher.kill();
    detachIfMounted(job.target);
  }
}
