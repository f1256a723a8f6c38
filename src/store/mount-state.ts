// Where a container is mounted: a small state file that is never believed by itself. The kernel's
// process and mount tables decide, so the answer is true after kill -9, reboot and lazy unmounts.

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../node-errors.js";
import { JsonFields, parseJson } from "../oci/index.js";
import { type ByteString, bytesOf, textOf } from "../path.js";
import { replaceFile } from "./durable.js";
import { startTicks } from "./process-identity.js";

/** A mount that exists now. */
export interface MountState {
  /** Absolute path of the mount point. */
  readonly target: string;
  /** The mount process. */
  readonly pid: number;
  /** "dead": the process is gone, the mount point answers ENOTCONN until it is unmounted. */
  readonly state: "mounted" | "dead";
}

const STATE_FILE = "mount.json";

/** Records the mount; also when the kernel shows none (yet): readers look there themselves. */
export async function writeMountState(
  tmp: string,
  home: string,
  mount: { readonly target: string; readonly pid: number },
): Promise<void> {
  const startTime = await processStartTime(mount.pid);
  await replaceFile(tmp, home, STATE_FILE, JSON.stringify({ ...mount, startTime }));
}

export async function removeMountState(home: string): Promise<void> {
  await rm(join(home, STATE_FILE), { force: true });
}

/** What holds now of what was recorded; undefined when nothing is mounted. */
export async function readMountState(home: string): Promise<MountState | undefined> {
  const recorded = await readRecorded(home);
  if (recorded === undefined) return undefined;
  const { target, pid, alive } = recorded;
  // The mount may be in the mount process's own mount namespace.
  const table = await tryRead(alive ? `/proc/${pid}/mountinfo` : "/proc/self/mountinfo");
  // Another user's root may not look at it; a mount process lives as long as its mount.
  const mounted =
    table === undefined ? alive : isMountPoint(table.toString("latin1"), bytesOf(target));
  return mounted ? { target, pid, state: alive ? "mounted" : "dead" } : undefined;
}

/**
 * The recorded mount process, if it lives: also of a mount that is out of the tree, which it serves for programs that
 * have its files open and for other mount namespaces.
 */
export async function readMountProcess(home: string): Promise<number | undefined> {
  const recorded = await readRecorded(home);
  return recorded?.alive === true ? recorded.pid : undefined;
}

async function readRecorded(
  home: string,
): Promise<{ readonly target: string; readonly pid: number; readonly alive: boolean } | undefined> {
  const path = join(home, STATE_FILE);
  const bytes = await tryRead(path);
  if (bytes === undefined) return undefined;
  const fields = new JsonFields(parseJson(bytes, path), path);
  const target = fields.requiredString("target");
  const pid = fields.count("pid") ?? 0;
  const startTime = fields.string("startTime");
  const alive = startTime !== undefined && (await processStartTime(pid)) === startTime;
  return { target, pid, alive };
}

/** Names one process for ever: its start time, and the boot that this time is counted from. */
export async function processStartTime(pid: number): Promise<string | undefined> {
  const ticks = startTicks(pid);
  if (ticks === undefined) return undefined;
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "latin1");
  return `${boot.trim()}:${ticks}`;
}

/** True when the topmost mount on `target` in a mountinfo table (proc_pid_mountinfo(5)) is a FUSE one. */
export function isMountPoint(table: string, target: ByteString): boolean {
  const lines = table.split("\n").map((line) => line.split(" "));
  const top = lines.findLast((fields) => unescaped(fields[4] ?? "") === target);
  const type = top?.[top.indexOf("-") + 1] ?? "";
  return type === "fuse" || type.startsWith("fuse.");
}

/** mountinfo writes blank, tab, newline and backslash as octal escapes. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** For messages: the mount points below a directory, deepest last. */
export function mountPointsBelow(table: string, directory: ByteString): string[] {
  return table
    .split("\n")
    .map((line) => unescaped(line.split(" ")[4] ?? ""))
    .filter((target) => target === directory || target.startsWith(`${directory}/`))
    .map((target) => textOf(target as ByteString));
}

async function tryRead(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    // ESRCH: the process ended while its files were read. EACCES: another user's process.
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES", "ENOTDIR")) return undefined;
    throw error;
  }
}
