// strata-overlay and its peers as commands of a test: mounted for a while, gone afterwards. What
// serves a mount is killed if it does not end, by its process id.

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { hasCode } from "../../src/node-errors.js";
import { run, tryRun } from "./run-program.js";

/** The command as it is installed. */
export const STRATA_OVERLAY = fileURLToPath(
  new URL("../../../bin/strata-overlay", import.meta.url),
);

const GONE_POLL_MS = 20;
const GONE_TIMEOUT_MS = 30_000;

/** A directory for layers and mount points, for the time of `use`. */
export async function withLayers<T>(
  names: readonly string[],
  use: (directory: string) => Promise<T>,
): Promise<T> {
  // A short name: podman refuses a runroot of more than 50 characters.
  const directory = mkdtempSync(join(tmpdir(), "so-"));
  try {
    chmodSync(directory, 0o755);
    for (const name of names) mkdirSync(join(directory, name), { recursive: true });
    return await use(directory);
  } finally {
    for (const pid of processesOf(directory)) process.kill(pid, "SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Processes that have a path of this directory among their arguments. */
export function processesOf(directory: string): number[] {
  const pids = readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && name !== `${process.pid}`,
  );
  return pids.filter((pid) => argumentsOf(pid).includes(directory)).map(Number);
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch (error) {
    // It has ended since it was listed.
    if (hasCode(error, "ENOENT", "ESRCH")) return "";
    throw error;
  }
}

/** Who mounts a stack: the command up to its options; all take -o and the target. */
export interface Union {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** Options besides the layers. */
  readonly options: string;
}

export const STRATA: Union = { name: "strata-overlay", command: [STRATA_OVERLAY], options: "" };
export const KERNEL: Union = {
  name: "kernel overlayfs",
  command: ["mount", "-t", "overlay", "overlay"],
  options: "redirect_dir=on,metacopy=on,index=off,xino=on",
};
export const FUSE_OVERLAYFS: Union = {
  name: "fuse-overlayfs",
  command: ["fuse-overlayfs"],
  options: "",
};

/** `layers` are options, lowerdir= and so on. The target is unmounted after `use`. */
export async function withUnion<T>(
  union: Union,
  layers: string,
  target: string,
  use: () => Promise<T>,
): Promise<T> {
  const [program, ...words] = union.command;
  await run(program, [...words, "-o", `${layers},${union.options}`, target]);
  let done = false;
  try {
    const result = await use();
    done = true;
    return result;
  } finally {
    const { status } = await tryRun("umount", done ? [target] : ["-l", target]);
    if (done && status === 0) await goneFrom(target);
  }
}

/** Waits until nobody serves the target any more: it must have been mounted by its whole path, which is looked for. */
export async function goneFrom(target: string): Promise<void> {
  for (let waited = 0; processesOf(target).length > 0; waited += GONE_POLL_MS) {
    if (waited > GONE_TIMEOUT_MS) throw new Error(`${target} is unmounted, and still served`);
    await sleep(GONE_POLL_MS);
  }
}
