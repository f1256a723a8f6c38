// What the numbers were measured on.

import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { findProgram, versionOf } from "../programs.js";
import type { Subject } from "../subjects/subject.js";

export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** Under the benchmark's scratch folder. */
  readonly fileSystem: string;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Programs besides the subjects' own that do the work or are measured. */
const PROGRAMS = ["podman", "buildah", "umoci", "fio", "git", "sqlite3"];

export function describeMachine(scratch: string, subjects: readonly Subject[]): Machine {
  const versions = new Map<string, string>();
  for (const { name, version } of subjects) if (version !== undefined) versions.set(name, version);
  for (const name of PROGRAMS) {
    const program = findProgram(name);
    const version = program === undefined ? undefined : versionOf(program);
    if (version !== undefined) versions.set(name, version);
  }
  const all = cpus();
  return {
    processor: all[0]?.model ?? "unknown",
    processors: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    fileSystem: execFileSync("stat", ["-f", "-c", "%T", scratch], { encoding: "utf8" }).trim(),
    node: process.version,
    versions: Object.fromEntries(versions),
  };
}

/** In one line. */
export function machineLine(machine: Machine): string {
  const { processor, processors, memoryGiB, kernel, fileSystem, node, versions } = machine;
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${processors} x ${processor}, ${memoryGiB} GiB`,
    `Linux ${kernel}, ${fileSystem}`,
    `Node ${node}`,
    ...programs,
  ].join("; ");
}
