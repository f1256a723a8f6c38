// Runs workloads on subjects: for each workload all rounds, in each round all subjects, whose order
// turns from round to round, because machines get slower and faster by the minute.

import { Agents } from "./agents.js";
import { makePlain, makeStack, removeStack, type Stack } from "./fixtures/fixture.js";
import { type MountPlan, measureOnce } from "./measure-once.js";
import type { Gap, Measured, Row, Sample } from "./report/sample.js";
import { formatProgress } from "./report/table.js";
import type { Subject } from "./subjects/subject.js";
import type { Workload } from "./workloads/workload.js";

export interface RoundsOptions {
  readonly scratch: string;
  readonly rounds: number;
  readonly dropCaches: boolean;
  /** For one request to an agent. */
  readonly limitSeconds: number;
  /** When it is aborted, the rest is left out: what was measured until then is the result. */
  readonly stop: AbortSignal;
  /** Where CPU profiles of strata's sessions go, if they are to be made. */
  readonly profiles?: string | undefined;
  say(line: string): void;
}

export async function runRounds(
  workloads: readonly Workload[],
  subjects: readonly Subject[],
  options: RoundsOptions,
): Promise<Measured> {
  const agents = new Agents();
  try {
    return await runGroups(workloads, subjects, { ...options, agents });
  } finally {
    await agents.stop();
  }
}

interface GroupOptions extends RoundsOptions {
  readonly agents: Agents;
}

async function runGroups(
  workloads: readonly Workload[],
  subjects: readonly Subject[],
  options: GroupOptions,
): Promise<Measured> {
  const samples: Sample[] = [];
  const gaps = new Map<string, Gap>();
  for (const group of byFixture(workloads)) {
    if (options.stop.aborted) break;
    const found = await runGroup(group, subjects, options);
    samples.push(...found.samples);
    for (const gap of found.gaps) gaps.set(`${gap.row} ${gap.subject}`, gap);
  }
  const rows = workloads.flatMap(({ steps }) => rowsOf(steps));
  return { rows, samples, gaps: [...gaps.values()] };
}

interface Found {
  readonly samples: readonly Sample[];
  readonly gaps: readonly Gap[];
}

/** All workloads of one fixture. What can't be made is a gap in all their rows. */
async function runGroup(
  group: readonly Workload[],
  subjects: readonly Subject[],
  options: GroupOptions,
): Promise<Found> {
  const [first] = group;
  if (first === undefined) return { samples: [], gaps: [] };
  const { fixture } = first;
  const found: Found[] = [];
  let stack: Stack | undefined;
  try {
    if (fixture.missing !== undefined) throw new Error(fixture.missing);
    options.say(`making ${fixture.name}`);
    stack = await makeStack(options.scratch, fixture);
    for (const workload of group) {
      found.push(await runWorkload(workload, subjects, stack, options));
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    options.say(`${fixture.name} is left out: ${reason}`);
    const rows = group.flatMap(({ steps }) => rowsOf(steps));
    found.push({ samples: [], gaps: gapsOf(rows, subjects, reason) });
  } finally {
    if (stack !== undefined) removeStack(stack);
  }
  return {
    samples: found.flatMap((each) => each.samples),
    gaps: found.flatMap((each) => each.gaps),
  };
}

function gapsOf(rows: readonly Row[], subjects: readonly Subject[], reason: string): Gap[] {
  return rows.flatMap(({ key }) =>
    subjects.map(({ name }) => ({ row: key, subject: name, reason })),
  );
}

function rowsOf(steps: Workload["steps"]): Row[] {
  return steps.map(({ row }) => row);
}

/** In the order of their first appearance. */
function byFixture(workloads: readonly Workload[]): readonly (readonly Workload[])[] {
  const groups = new Map<string, Workload[]>();
  for (const workload of workloads) {
    const { name } = workload.fixture;
    groups.set(name, [...(groups.get(name) ?? []), workload]);
  }
  return [...groups.values()];
}

async function runWorkload(
  workload: Workload,
  subjects: readonly Subject[],
  stack: Stack,
  options: GroupOptions,
): Promise<Found> {
  const samples: Sample[] = [];
  const gaps: Gap[] = [];
  const rows = rowsOf(workload.steps);
  const able = subjects.filter((subject) => {
    const { name } = subject;
    const reason = workload.missing ?? workload.without?.[name] ?? plainGap(name, stack);
    if (reason !== undefined) gaps.push(...gapsOf(rows, [subject], reason));
    return reason === undefined;
  });
  const failed = new Set<string>();
  const rounds = Math.min(options.rounds, workload.maxRounds ?? options.rounds);
  for (let round = 0; round < rounds; round++) {
    for (const subject of turned(able, round)) {
      if (failed.has(subject.name) || options.stop.aborted) continue;
      const plan: MountPlan = { workload, subject, stack, round, ...options };
      const found = await measureOnce(plan);
      samples.push(...found.samples);
      if (subject.name === "plain" && workload.spoils === true) makePlain(stack);
      // A signal may have reached the agent and its programs, too: that is no failure of theirs.
      if (found.failure === undefined || options.stop.aborted) continue;
      // What failed or took too long once is not tried again.
      failed.add(subject.name);
      const { row, reason } = found.failure;
      options.say(`${subject.name}, ${row}: ${reason}`);
      gaps.push({ row, subject: subject.name, reason });
    }
  }
  for (const row of rows) options.say(formatProgress(row, samples));
  return { samples, gaps };
}

function plainGap(subject: string, stack: Stack): string | undefined {
  return subject === "plain" && stack.fixture.withoutPlain === true ? "not copied" : undefined;
}

function turned<T>(list: readonly T[], by: number): readonly T[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
