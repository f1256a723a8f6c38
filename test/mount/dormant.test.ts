// A mount that keeps hardly any inode awake (session/inode-table.ts): random operations by several
// processes have the outcomes that they have on a plain directory, while its upper is frozen again and
// again, and every name keeps its inode number.

import { deepStrictEqual, ok } from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  type FreezePlan,
  freezeMount,
  mountStatistics,
  settleMount,
} from "../../src/fuse/index.js";
import { run } from "../e2e/run-program.js";
import { freshSeed } from "../e2e/seeded-random.js";
import { expectEqualTrees, listTree, withoutLinkCount, withoutTime } from "../e2e/tree-listing.js";
import { mountSkip, withMount, withScratch } from "./mounted.js";

const AWAKE = 8;
const ROUNDS = 2;
const LOWER_OPERATIONS = 250;
const OPERATIONS = 300;
const WORKERS = ["w0", "w1"];
/** Files that no worker knows: they sleep and are woken by nothing but these looks. */
const QUIET_FILES = 300;
const MAX_WALKS = 20;
const program = fileURLToPath(new URL("../random/worker.js", import.meta.url));

async function work(root: string, seed: number, operations: number): Promise<string[]> {
  return await Promise.all(
    WORKERS.map((name, index) =>
      run(process.execPath, [program, join(root, name), `${seed + index}`, `${operations}`]),
    ),
  );
}

/** The operations on the mount, which is frozen while they run. */
async function workAndFreeze(scratch: string, seed: number, round: number): Promise<string[]> {
  const target = join(scratch, "m");
  const working = work(target, seed, OPERATIONS);
  const ended = working.then(
    () => true,
    () => true,
  );
  for (let freeze = 0; freeze < 2; freeze++) {
    const [upper, place] = [
      join(scratch, `u${round}-${freeze}`),
      join(scratch, `k${round}-${freeze}`),
    ];
    for (const folder of [upper, place]) mkdirSync(folder);
    const plan: FreezePlan = { place: { upper, work: place }, report: join(scratch, "report") };
    writeFileSync(join(scratch, "plan"), JSON.stringify(plan));
    freezeMount(target);
    settleMount(target);
    // Wherever it meets them.
    if (await Promise.race([ended, sleep(100, false)])) break;
  }
  return await working;
}

/** The kernel may forget files at any time, when somebody needs memory. */
async function walkUntilDormant(target: string): Promise<void> {
  for (let walks = 1; ; walks++) {
    await listTree(target);
    if ((mountStatistics(target)?.dormantInodes ?? 0) >= QUIET_FILES / 2) return;
    ok(walks < MAX_WALKS, `no files sleep after ${walks} walks`);
  }
}

async function inodeNumbers(root: string): Promise<Map<string, string>> {
  const lines = (await run("find", [root, "-printf", "%P\\t%i\\n"])).trimEnd().split("\n");
  return new Map(lines.map((line) => line.split("\t") as [string, string]));
}

/** Names that are there before and after; a worker's name may be another file's by now. */
function numbersOf(names: ReadonlyMap<string, string>): [string, string][] {
  return [...names].filter(([name]) => name.startsWith("quiet/")).sort();
}

test("dormant inodes: under random operations and freezes nobody notices them", {
  skip: mountSkip,
  timeout: 120_000,
}, async (t) => {
  const seed = freshSeed();
  t.diagnostic(`STRATA_TEST_SEED=${seed}`);
  await withScratch(async (scratch) => {
    const [lower, plain, target] = ["l", "p", "m"].map((name) => join(scratch, name));
    ok(lower !== undefined && plain !== undefined && target !== undefined);
    for (const folder of [lower, target, join(scratch, "u"), join(scratch, "k")]) mkdirSync(folder);
    for (const name of [...WORKERS, "quiet"]) mkdirSync(join(lower, name));
    for (let file = 0; file < QUIET_FILES; file++) {
      writeFileSync(join(lower, "quiet", `f${file}`), `${file}`);
    }
    await work(lower, seed + 100, LOWER_OPERATIONS);
    await run("cp", ["-a", "--sparse=always", lower, plain]);
    const job = {
      ...{ target, lowers: [lower], upper: join(scratch, "u"), work: join(scratch, "k") },
      ...{ freezePlan: join(scratch, "plan"), awakeInodes: AWAKE },
    };
    await withMount(job, async () => {
      const before = numbersOf(await inodeNumbers(target));
      for (let round = 0; round < ROUNDS; round++) {
        await walkUntilDormant(target);
        const outcomes = await workAndFreeze(scratch, seed + 10 * round, round);
        deepStrictEqual(outcomes, await work(plain, seed + 10 * round, OPERATIONS));
      }
      expectEqualTrees(
        await listTree(plain),
        await listTree(target),
        "plain and mount",
        (path, at) => withoutTime(path, withoutLinkCount(path, at)),
      );
      deepStrictEqual(numbersOf(await inodeNumbers(target)), before);
    });
  });
});
