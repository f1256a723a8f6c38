// Commits, by strata and by others, interleaved: each gets a new container in every round, with the same
// change, commits it, and forgets both. (Who commits one container twice may have nothing left to do.)

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Gap, Measured, Sample } from "../report/sample.js";
import { formatProgress } from "../report/table.js";
import type { Sizes } from "../sizes.js";
import { type Choice, isChosen } from "../workloads/all-workloads.js";
import { allChanges, type Change, fillBase } from "./changes.js";
import { allCommitters, type Committer, makePlace } from "./committer.js";

export interface CommitsOptions {
  readonly sizes: Sizes;
  readonly choice: Choice;
  /** Empty: all. */
  readonly subjects: readonly string[];
  readonly rounds: number;
  readonly scratch: string;
  readonly stop: AbortSignal;
  say(line: string): void;
}

/** A committer with its folder, whose base image is made. */
interface Ready {
  readonly committer: Committer;
  readonly environment: NodeJS.ProcessEnv;
}

export async function measureCommits(options: CommitsOptions): Promise<Measured> {
  const changes = allChanges(options.sizes).filter(({ row }) => isChosen(row.key, options.choice));
  const rows = changes.map(({ row }) => row);
  const committers = wantedCommitters(options);
  if (options.stop.aborted || changes.length === 0 || committers.length === 0)
    return { rows: [], samples: [], gaps: [] };
  const base = makeBase(options);
  const ready: Ready[] = [];
  const gaps: Gap[] = [];
  const addGaps = (subject: string, reason: string): void => {
    options.say(`${subject}: ${reason}`);
    gaps.push(...rows.map(({ key }) => ({ row: key, subject, reason })));
  };
  try {
    for (const committer of committers) {
      if (committer.missing !== undefined) {
        addGaps(committer.name, committer.missing);
        continue;
      }
      const environment = {
        ...process.env,
        PLACE: makePlace(options.scratch, committer),
        BASE: base,
      };
      try {
        runScript({ committer, environment }, committer.prepare);
        ready.push({ committer, environment });
      } catch (error) {
        addGaps(committer.name, String(error));
      }
    }
    const samples: Sample[] = [];
    for (const change of changes) {
      samples.push(...(await measureChange(change, ready, options, gaps)));
    }
    return { rows, samples, gaps };
  } finally {
    for (const { environment } of ready) leavePlace(environment["PLACE"] ?? "");
  }
}

function wantedCommitters({ subjects }: CommitsOptions): readonly Committer[] {
  return allCommitters().filter(({ name }) => subjects.length === 0 || subjects.includes(name));
}

/** The path of the base image's root as an archive. */
function makeBase({ scratch, sizes, say }: CommitsOptions): string {
  say("making the image to commit on");
  const directory = join(scratch, "commits", "base");
  mkdirSync(directory, { recursive: true });
  fillBase(directory, sizes);
  const archive = `${directory}.tar`;
  execFileSync("tar", ["-C", directory, "-cf", archive, "."]);
  rmSync(directory, { recursive: true });
  return archive;
}

async function measureChange(
  change: Change,
  ready: readonly Ready[],
  { rounds, stop, say }: CommitsOptions,
  gaps: Gap[],
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const { key } = change.row;
  const failed = new Set<string>();
  /** Undefined, after a note of the reason, when it fails. */
  const attempt = <T>({ committer: { name } }: Ready, work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      say(`${name}, ${key}: ${reason}`);
      gaps.push({ row: key, subject: name, reason });
      failed.add(name);
      return undefined;
    }
  };
  for (let round = 0; round < rounds; round++) {
    const turn = ready.length === 0 ? 0 : round % ready.length;
    for (const each of [...ready.slice(turn), ...ready.slice(0, turn)]) {
      // A signal is heard only now: everything here waits without the event loop.
      await nextTurn();
      const { name: subject } = each.committer;
      if (failed.has(subject) || stop.aborted) continue;
      const value = attempt(each, () => timeCommit(each, change));
      if (value !== undefined) samples.push({ row: key, subject, round, value });
    }
  }
  say(formatProgress(change.row, samples));
  return samples;
}

/** Seconds. Container and image are forgotten again. */
function timeCommit(ready: Ready, change: Change): number {
  const { begin, commit, end, clean } = ready.committer;
  let seconds: number;
  try {
    change.apply(lastLine(runScript(ready, begin)));
    spawnSync("sync");
    const begunNs = process.hrtime.bigint();
    runScript(ready, commit);
    seconds = Number(process.hrtime.bigint() - begunNs) / 1e9;
  } catch (error) {
    // What went wrong first is to be told, not what can't be removed after it.
    runScript(ready, `( ${end} ) || true`);
    throw error;
  }
  runScript(ready, end);
  runScript(ready, clean);
  return seconds;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

function runScript({ committer, environment }: Ready, script: string): string {
  const { status, stdout, stderr } = spawnSync(
    "sh",
    ["-eu", "-c", `${committer.functions}\n${script}`],
    {
      env: environment,
      encoding: "utf8",
      maxBuffer: 1 << 26,
    },
  );
  if (status === 0) return stdout;
  throw new Error(`Cannot run "${script}": ${stderr.trim().split("\n").slice(-2).join(" ")}`);
}

/** podman and buildah leave their storage's folder bind-mounted on itself. */
function leavePlace(place: string): void {
  for (const folder of ["root/overlay", "root", "m"]) {
    spawnSync("umount", ["-l", join(place, folder)], { stdio: "ignore" });
  }
}
