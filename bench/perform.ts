// Does one operation in a merged tree and says how long it took. Runs in agent processes.

import { spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { makeNodeModules } from "./node-modules.js";
import type { Operation } from "./operation.js";

/** Seconds since a reading of process.hrtime.bigint(). */
export function secondsSince(begin: bigint): number {
  return Number(process.hrtime.bigint() - begin) / 1e9;
}

interface Place {
  readonly root: string;
  readonly outside: string;
}

/** Seconds. Rejects when the operation fails. */
export async function perform(operation: Operation, place: Place): Promise<number> {
  const { root } = place;
  switch (operation.kind) {
    case "shell":
      return timeShell(operation.command, place);
    case "fio":
      return timeFio(operation.options, place);
    case "first-write":
      return timeFirstWrite(join(root, operation.path));
    case "chmod": {
      const begin = process.hrtime.bigint();
      chmodSync(join(root, operation.path), operation.mode);
      return secondsSince(begin);
    }
    case "create-unlink":
      return timeCreateUnlink(join(root, operation.directory), operation.count);
    case "node-modules": {
      const begin = process.hrtime.bigint();
      await makeNodeModules(join(root, operation.directory), operation.packages);
      return secondsSince(begin);
    }
  }
}

async function run(command: string, options: readonly string[], place: Place): Promise<string> {
  const child = spawn(command, options, {
    cwd: place.root,
    env: { ...process.env, OUTSIDE: place.outside, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const [status, output, complaint] = await Promise.all([
    ended,
    text(child.stdout),
    text(child.stderr),
  ]);
  if (status === 0) return output;
  const [line = ""] = complaint.trim().split("\n").slice(-1);
  throw new Error(`Cannot run "${command} ${options.join(" ").slice(0, 60)}": ${line}`);
}

async function timeShell(command: string, place: Place): Promise<number> {
  const begin = process.hrtime.bigint();
  await run("sh", ["-c", command], place);
  return secondsSince(begin);
}

/** The sum of all latencies: fio's runtimes are in whole ms. Its start is not in it. */
async function timeFio(options: readonly string[], place: Place): Promise<number> {
  const output = await run("fio", ["--output-format=json", ...options], place);
  const { jobs } = JSON.parse(output.slice(output.indexOf("{"))) as {
    readonly jobs: readonly { readonly read: FioSide; readonly write: FioSide }[];
  };
  const sides = jobs.flatMap(({ read, write }) => [read.lat_ns, write.lat_ns]);
  return sides.reduce((sum, { mean, N }) => sum + mean * N, 0) / 1e9;
}

interface FioSide {
  readonly lat_ns: { readonly mean: number; readonly N: number };
}

function timeFirstWrite(path: string): number {
  const middle = Math.floor(statSync(path).size / 2) + 123;
  const begin = process.hrtime.bigint();
  const fd = openSync(path, "r+");
  writeSync(fd, "x", middle);
  closeSync(fd);
  return secondsSince(begin);
}

function timeCreateUnlink(directory: string, count: number): number {
  mkdirSync(directory);
  const names = Array.from({ length: count }, (_, index) => join(directory, `f${index}`));
  const begin = process.hrtime.bigint();
  for (const name of names) closeSync(openSync(name, "wx"));
  for (const name of names) unlinkSync(name);
  const seconds = secondsSince(begin);
  rmdirSync(directory);
  return seconds;
}
