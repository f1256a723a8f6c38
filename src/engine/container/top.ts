// top: the processes of a container, as the host's ps shows them.

import { spawn } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { EngineError } from "../../errors.js";
import { hasCode } from "../../node-errors.js";
import type { Store } from "../../store/index.js";
import { readKernelFile } from "../../sys/index.js";
import { runningContainer } from "./running.js";

/** A table as ps printed it. */
export interface ProcessTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const DEFAULT_WORDS = ["-ef"];

/** `words`: of ps(1). Throws EngineError NOT_FOUND, INVALID_ARGUMENT, UNSUPPORTED (no ps here). */
export async function top(
  store: Store,
  name: string,
  words: readonly string[] = [],
): Promise<ProcessTable> {
  const { pid } = await runningContainer(store, name);
  const printed = await runPs(words.length === 0 ? DEFAULT_WORDS : words);
  return cutTable(printed, containerPids(pid));
}

/** The processes in the container's PID namespace, and those in namespaces made within it. */
export function containerPids(first: number): ReadonlySet<number> {
  const namespace = namespaceOf(first);
  const parents = new Map<number, number>();
  const pids = new Set<number>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    parents.set(pid, parentOf(pid));
    if (namespace !== undefined && namespaceOf(pid) === namespace) pids.add(pid);
  }
  for (const pid of parents.keys()) {
    const line: number[] = [];
    for (let at = pid; at > 1 && !pids.has(at); at = parents.get(at) ?? 0) line.push(at);
    const top = parents.get(line.at(-1) ?? pid) ?? 0;
    if (pids.has(top)) for (const one of line) pids.add(one);
  }
  return pids;
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

/** proc_pid_stat(5): the fourth field; the second is a name in brackets with anything in it. */
function parentOf(pid: number): number {
  const text = readKernelFile(`/proc/${pid}/stat`) ?? "";
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
}

/** The rows of these processes. The last column may have blanks. Throws EngineError INVALID_ARGUMENT. */
function cutTable(printed: string, pids: ReadonlySet<number>): ProcessTable {
  const [head = "", ...lines] = printed.split("\n").filter((line) => line !== "");
  const titles = head.trim().split(/\s+/);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) {
    throw new EngineError("INVALID_ARGUMENT", "Couldn't find PID field in ps output");
  }
  const rows = lines
    .map((line) => cells(line, titles.length))
    .filter((row) => pids.has(Number(row[pidColumn])));
  return { titles, rows };
}

function cells(line: string, columns: number): readonly string[] {
  const fields = line.trim().split(/\s+/);
  if (fields.length <= columns) return fields;
  return [...fields.slice(0, columns - 1), fields.slice(columns - 1).join(" ")];
}

async function runPs(words: readonly string[]): Promise<string> {
  const child = spawn("ps", [...words], { stdio: ["ignore", "pipe", "pipe"] });
  const printed: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => printed.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => complaints.push(chunk));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error) => reject(hasCode(error, "ENOENT") ? noPs() : error));
    child.once("close", resolve);
  });
  if (status === 0) return Buffer.concat(printed).toString("utf8");
  const [complaint = ""] = Buffer.concat(complaints).toString("utf8").trim().split("\n");
  throw new EngineError("INVALID_ARGUMENT", `ps: ${complaint}`);
}

function noPs(): EngineError {
  return new EngineError(
    "UNSUPPORTED",
    'Cannot list processes: there is no "ps"; install the Debian package "procps"',
  );
}
