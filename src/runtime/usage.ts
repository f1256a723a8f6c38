// What a container uses now, as its control groups count it (both layouts, cgroups(7)); where it has
// none of its own, as the counters of its processes add up (proc_pid_stat(5)).

import { readdirSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { hasCode } from "../node-errors.js";
import { readKernelFile } from "../sys/index.js";

/** Counters at one moment. Those that grow count from the container's start. */
export interface Usage {
  /** Time of all processors, in nanoseconds. */
  readonly cpuNs: number;
  /** Without what the kernel could drop at once (inactive file pages), as docker counts. */
  readonly memoryBytes: number;
  /** The container's limit, the machine's memory where it has none. */
  readonly memoryLimitBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly processes: number;
}

const ROOT = "/sys/fs/cgroup";
const NS_PER_TICK = 1e7;
const PAGE_BYTES = 4096;

/** `pids`: all processes of the container, `first` its first one. undefined when it is gone. */
export function readUsage(first: number, pids: ReadonlySet<number>): Usage | undefined {
  const groups = groupsOf(first);
  if (groups === undefined) return undefined;
  const own = groupsOf("self");
  const unified = groups.get("");
  const memory = groups.get("memory");
  // A container that shares a group with us has none of its own.
  if (memory !== undefined && memory !== own?.get("memory")) return legacyUsage(groups);
  const hasControllers =
    unified !== undefined && readKernelFile(`${ROOT}/cgroup.controllers`) !== undefined;
  if (hasControllers && unified !== own?.get("")) return unifiedUsage(`${ROOT}${unified}`);
  return processUsage(pids);
}

/** Controllers with their paths; the unified hierarchy is "". */
function groupsOf(pid: number | "self"): ReadonlyMap<string, string> | undefined {
  const text = readKernelFile(`/proc/${pid}/cgroup`);
  if (text === undefined) return undefined;
  const groups = new Map<string, string>();
  for (const line of text.trim().split("\n")) {
    const [, names = "", ...path] = line.split(":");
    for (const name of names.split(",")) groups.set(name, path.join(":"));
  }
  return groups;
}

function legacyUsage(groups: ReadonlyMap<string, string>): Usage | undefined {
  const at = (controller: string, file: string): string | undefined =>
    readKernelFile(`${ROOT}/${controller}${groups.get(controller) ?? ""}/${file}`);
  const memory = at("memory", "memory.usage_in_bytes");
  if (memory === undefined) return undefined;
  const inactive = numberOf(at("memory", "memory.stat"), /^total_inactive_file (\d+)$/m);
  const io = at("blkio", "blkio.throttle.io_service_bytes") ?? "";
  return {
    cpuNs: Number(at("cpuacct", "cpuacct.usage") ?? 0),
    memoryBytes: Math.max(0, Number(memory) - inactive),
    memoryLimitBytes: limitOf(at("memory", "memory.limit_in_bytes")),
    readBytes: sumOf(io, /^\d+:\d+ Read (\d+)$/gm),
    writtenBytes: sumOf(io, /^\d+:\d+ Write (\d+)$/gm),
    processes: Number(at("pids", "pids.current") ?? 0),
  };
}

function unifiedUsage(group: string): Usage | undefined {
  const at = (file: string): string | undefined => readKernelFile(join(group, file));
  const memory = at("memory.current");
  if (memory === undefined) return undefined;
  const io = at("io.stat") ?? "";
  return {
    cpuNs: numberOf(at("cpu.stat"), /^usage_usec (\d+)$/m) * 1000,
    memoryBytes: Math.max(
      0,
      Number(memory) - numberOf(at("memory.stat"), /^inactive_file (\d+)$/m),
    ),
    memoryLimitBytes: limitOf(at("memory.max")),
    readBytes: sumOf(io, / rbytes=(\d+)/g),
    writtenBytes: sumOf(io, / wbytes=(\d+)/g),
    processes: Number(at("pids.current") ?? 0),
  };
}

function processUsage(pids: ReadonlySet<number>): Usage {
  let ticks = 0;
  let pages = 0;
  for (const pid of pids) {
    const text = readKernelFile(`/proc/${pid}/stat`) ?? "";
    // From the third field on: utime is the 14th, stime the 15th, rss the 24th.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
    pages += Number(fields[21] ?? 0);
  }
  return {
    cpuNs: ticks * NS_PER_TICK,
    memoryBytes: pages * PAGE_BYTES,
    memoryLimitBytes: totalmem(),
    readBytes: 0,
    writtenBytes: 0,
    processes: threadsOf(pids),
  };
}

/** The pids controller counts threads. */
function threadsOf(pids: ReadonlySet<number>): number {
  let threads = 0;
  for (const pid of pids) {
    try {
      threads += readdirSync(`/proc/${pid}/task`).length;
    } catch (error) {
      if (!hasCode(error, "ENOENT", "ESRCH", "EACCES")) throw error;
    }
  }
  return threads;
}

/** Of all processors and for everything, in nanoseconds since boot: what a share is a share of. */
export function systemCpuNs(): number {
  const [first = ""] = readFileSync("/proc/stat", "latin1").split("\n");
  // user nice system idle iowait irq softirq steal; guests' time is in user's (proc_stat(5)).
  const ticks = first.split(/\s+/).slice(1, 9).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) * NS_PER_TICK;
}

function limitOf(text: string | undefined): number {
  const limit = Number(text ?? Number.NaN);
  return Number.isNaN(limit) ? totalmem() : Math.min(limit, totalmem());
}

function numberOf(text: string | undefined, pattern: RegExp): number {
  return Number(pattern.exec(text ?? "")?.[1] ?? 0);
}

function sumOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
}
