// One workload on one subject, once: mounts with an empty upper, works, unmounts.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Agent } from "./agent-process.js";
import type { Agents } from "./agents.js";
import type { Stack } from "./fixtures/fixture.js";
import type { Request } from "./operation.js";
import { profilePath } from "./report/profile.js";
import type { Sample } from "./report/sample.js";
import type { Places, Subject } from "./subjects/subject.js";
import type { Step, Workload } from "./workloads/workload.js";

export interface MountPlan {
  readonly workload: Workload;
  readonly subject: Subject;
  readonly stack: Stack;
  readonly round: number;
  readonly scratch: string;
  readonly agents: Agents;
  /** Without it cold work is not cold: for a look at whether everything runs. */
  readonly dropCaches: boolean;
  readonly limitSeconds: number;
  readonly profiles?: string | undefined;
}

export interface MeasuredOnce {
  readonly samples: readonly Sample[];
  /** What went wrong, at which row; the rows before it have their samples. */
  readonly failure: { readonly row: string; readonly reason: string } | undefined;
}

export async function measureOnce(plan: MountPlan): Promise<MeasuredOnce> {
  const { workload, subject } = plan;
  const places = makePlaces(plan);
  if (plan.dropCaches) settle(workload.cold);
  const agent = await plan.agents.at(subject.where);
  const samples: Sample[] = [];
  let row = workload.steps[0]?.row.key ?? "";
  try {
    const mounting = subject.mount(places, profileOf(plan));
    const mountSeconds = mounting === undefined ? 0 : await agent.ask(mounting, plan.limitSeconds);
    for (const operation of workload.prepare ?? []) {
      await agent.ask(work(plan, places, operation), plan.limitSeconds);
    }
    for (const step of workload.steps) {
      row = step.row.key;
      const value = await measureStep(plan, places, agent, step, mountSeconds);
      if (value === undefined) continue;
      samples.push({ row, subject: subject.name, round: plan.round, value });
    }
    return { samples, failure: undefined };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { samples, failure: { row, reason } };
  } finally {
    await tearDown(plan, places, agent);
  }
}

/** undefined where there is nothing to measure. */
async function measureStep(
  plan: MountPlan,
  places: Places,
  agent: Agent,
  { measure }: Step,
  mountSeconds: number,
): Promise<number | undefined> {
  if (measure === "mount") return mountSeconds;
  if (measure === "memory") return residentMiB(places.root);
  return agent.ask(work(plan, places, measure), plan.limitSeconds);
}

function work(
  { stack }: MountPlan,
  { root }: Places,
  operation: Exclude<Step["measure"], string>,
): Request {
  return { kind: "run", operation, root, outside: stack.outside };
}

/** Mounts of this run so far: no two have a folder of the same name. */
let mounts = 0;

/** Fresh, empty folders; the plain directory's root is the plain directory. */
function makePlaces({ subject, stack, scratch }: MountPlan): Places {
  const home = join(spreadFolder(scratch), String(++mounts));
  const places = {
    stack,
    upper: join(home, "upper"),
    work: join(home, "work"),
    root: subject.name === "plain" ? stack.plain : join(home, "root"),
    log: join(home, "log"),
  };
  for (const place of [places.upper, places.work, places.root]) {
    mkdirSync(place, { recursive: true });
  }
  return places;
}

/**
 * Its folders are put far from each other on ext4 (chattr(1), T). That looks past inodes that were freed within some minutes
 * where it has no journal, so who works where another's files were removed just now would pay for them.
 */
function spreadFolder(scratch: string): string {
  const folder = join(scratch, "m");
  if (existsSync(folder)) return folder;
  mkdirSync(folder);
  spawnSync("chattr", ["+T", folder], { stdio: "ignore" });
  return folder;
}

/** Nothing of what was done before is left to be written; and, for cold work, to be found. */
function settle(cold: boolean): void {
  spawnSync("sync");
  if (cold) writeFileSync("/proc/sys/vm/drop_caches", "3");
}

function profileOf({ profiles, subject, workload, round }: MountPlan): string | undefined {
  const [first] = workload.steps;
  if (profiles === undefined || first === undefined) return undefined;
  return profilePath(profiles, first.row.key, subject.name, round);
}

/** Unmounts in the agent's way, or by force when that fails: nothing of it may be left. */
async function tearDown(plan: MountPlan, places: Places, agent: Agent): Promise<void> {
  const request = plan.subject.unmount(places);
  try {
    if (request !== undefined && agent.running) await agent.ask(request, plan.limitSeconds);
  } catch (error) {
    process.stderr.write(`${plan.subject.name}: ${String(error)}\n`);
  } finally {
    if (request !== undefined) endByForce(places.root);
    rmSync(dirname(places.upper), { recursive: true, force: true });
  }
}

/** For what an agent that was killed, or could not unmount, has left. */
function endByForce(root: string): void {
  const mounted = readFileSync("/proc/self/mounts", "latin1").includes(` ${root} `);
  if (mounted) spawnSync("umount", ["-l", root]);
  for (const pid of processesOf(root)) process.kill(pid, "SIGKILL");
}

/** Processes that name a mount point in their arguments: those that serve it. */
function processesOf(root: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => readIfThere(`/proc/${name}/cmdline`).split("\0").includes(root))
    .map(Number);
}

/** Of the processes that serve a mount; undefined where the kernel does. */
function residentMiB(root: string): number | undefined {
  const statuses = processesOf(root).map((pid) => readIfThere(`/proc/${pid}/status`));
  const kib = statuses.map((text) => Number(/^VmRSS:\s*(\d+)/m.exec(text)?.[1] ?? 0));
  if (kib.length === 0) return undefined;
  return kib.reduce((sum, value) => sum + value, 0) / 1024;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}
