// A program started in a user and mount namespace of its own, with all ids as they are: root
// there has no rights outside. A map of so many ids only the parent's root may write.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

const IDS = "0 0 4294967295";

/** What the program prints. Throws when it fails, or takes longer than `timeoutMs`. */
export async function runInNamespace(
  command: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  // The shell waits for the maps; with ids, exec gives it all capabilities within the namespace.
  const wait = 'read -r go && exec "$@"';
  const child = spawn(
    "unshare",
    ["--user", "--mount", "--propagation", "unchanged", "sh", "-c", wait, "sh", command, ...args],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  try {
    await once(child, "spawn");
    await inNewNamespace(child.pid ?? 0);
    for (const map of ["uid_map", "gid_map"]) writeFileSync(`/proc/${child.pid}/${map}`, IDS);
    child.stdin.end("go\n");
    const exit = once(child, "exit");
    const output = await text(child.stdout);
    const [status] = (await exit) as [number | null];
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: status ${status}\n${output}`);
    return output;
  } finally {
    clearTimeout(timer);
  }
}

const POLL_MS = 5;

/** Waits until unshare(1) has done its work. */
async function inNewNamespace(pid: number): Promise<void> {
  const own = readlinkSync("/proc/self/ns/mnt");
  while (readlinkSync(`/proc/${pid}/ns/mnt`) === own) await sleep(POLL_MS);
}
