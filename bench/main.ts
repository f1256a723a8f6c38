// npm run bench: measures strata beside other unions and prints what it found. See README.md.

import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sentenceOf } from "../src/cli/message.js";
import { EngineError } from "../src/errors.js";
import { asFsError } from "../src/node-errors.js";
import { measureCommits } from "./commits/measure-commits.js";
import { listContents, requireKnown } from "./contents.js";
import { measureEmptyProcess } from "./empty-process.js";
import { type Options, parseOptions, USAGE } from "./options.js";
import { joined, measuredRows, readRun, requireSame } from "./report/continued.js";
import { describeMachine } from "./report/machine.js";
import { profileHints } from "./report/profile.js";
import { formatRun, type Run, writeRun } from "./report/results.js";
import type { Measured } from "./report/sample.js";
import { TARGETS } from "./report/targets.js";
import { verdictsOf } from "./report/verdict.js";
import { runRounds } from "./rounds.js";
import { allSubjects } from "./subjects/all-subjects.js";
import { installFuseOverlayfs2 } from "./subjects/cargo-install.js";
import type { Subject } from "./subjects/subject.js";
import { allWorkloads, chosenWorkloads } from "./workloads/all-workloads.js";

const WRONG_USE_STATUS = 2;
const RESULTS = fileURLToPath(new URL("../../bench/results", import.meta.url));

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

function isWanted({ name }: Subject, { subjects, driver }: Options): boolean {
  const isOurs = name.startsWith("strata");
  if (driver !== undefined && isOurs) {
    // "strata" means whichever there is of this driver.
    const named = [name, "strata"].some((word) => subjects.includes(word));
    if ((name === "strata-fuse-native") !== (driver === "fuse-native")) return false;
    return subjects.length === 0 || named;
  }
  return subjects.length === 0 || subjects.includes(name);
}

/** The first SIGINT or SIGTERM ends the run early and in order; a second one kills as ever. */
function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      say("stopping after what is being measured now");
      controller.abort();
    });
  }
  return controller.signal;
}

async function measureAll(
  options: Options,
  subjects: readonly Subject[],
  places: { readonly scratch: string; readonly profiles: string | undefined },
  earlier: Measured,
): Promise<Measured> {
  const { sizes, only, rounds, limitSeconds } = options;
  const { scratch } = places;
  const choice = { only, done: measuredRows(earlier) };
  const workloads = chosenWorkloads(sizes, choice);
  const stop = stopOnSignal();
  const parts = [
    await runRounds(workloads, subjects, {
      ...{ ...places, rounds, limitSeconds, stop, say },
      dropCaches: sizes.name === "full",
    }),
    measureEmptyProcess(choice, rounds),
    await measureCommits({ sizes, choice, subjects: options.subjects, rounds, scratch, stop, say }),
  ];
  const later = {
    rows: parts.flatMap((part) => part.rows),
    samples: parts.flatMap((part) => part.samples),
    gaps: parts.flatMap((part) => part.gaps),
  };
  const keys = allWorkloads(sizes).flatMap(({ steps }) => steps.map(({ row }) => row.key));
  return joined(earlier, later, keys);
}

/** Throws EngineError INVALID_ARGUMENT where nothing can be written. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
  } catch (error) {
    const sentence = sentenceOf(asFsError(error, "write to folder", path));
    throw new EngineError("INVALID_ARGUMENT", sentence, { cause: error });
  }
}

async function bench(options: Options): Promise<Run> {
  requireKnown(options);
  if (process.geteuid?.() !== 0) {
    throw new EngineError("UNSUPPORTED", 'Cannot measure "mounts": that needs root');
  }
  const output = options.output ?? RESULTS;
  const folder = options.scratch ?? tmpdir();
  // What can't be written at the end is known before hours of work.
  for (const path of [output, folder]) makeFolder(path);
  if (options.sizes.name === "full") installFuseOverlayfs2(say);
  const wanted = allSubjects().filter((subject) => isWanted(subject, options));
  const present = wanted.filter(({ missing }) => missing === undefined);
  const missing = wanted.flatMap((s) => (s.missing === undefined ? [] : [[s.name, s.missing]]));
  for (const [name, reason] of missing) say(`${name} is left out: ${reason}`);
  const profiles = options.profile ? join(output, "profiles") : undefined;
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
  const scratch = mkdtempSync(join(folder, "strata-bench-"));
  try {
    const machine = describeMachine(scratch, present);
    const earlier = options.continues ? readRun(output) : undefined;
    if (earlier !== undefined) requireSame(earlier, options.sizes.name, machine);
    const known = earlier?.measured ?? { rows: [], samples: [], gaps: [] };
    const measured = await measureAll(options, present, { scratch, profiles }, known);
    return {
      date: new Date().toISOString(),
      sizes: options.sizes.name,
      rounds: Math.max(options.rounds, earlier?.rounds ?? 0),
      machine: { ...machine, versions: { ...earlier?.machine.versions, ...machine.versions } },
      missing: Object.fromEntries(missing),
      measured,
      verdicts: options.sizes.name === "full" ? verdictsOf(measured, TARGETS) : [],
      hints: profiles === undefined ? [] : profileHints(profiles),
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help || options.list) {
    process.stdout.write(options.help ? USAGE : listContents(options.sizes));
    return;
  }
  const run = await bench(options);
  writeRun(options.output ?? RESULTS, run);
  process.stdout.write(formatRun(run));
}

try {
  await main();
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  process.stderr.write(`Error: ${error.message}\n`);
  process.exitCode = WRONG_USE_STATUS;
}
