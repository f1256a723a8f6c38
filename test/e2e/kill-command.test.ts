// kill -9 of the command at random moments of load, import and commit: the store is as before or has
// the whole image, and a later prune leaves nothing of the killed run.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { needsRoot } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { freshSeed, type Random, seededRandom } from "./seeded-random.js";
import { expectSound, keptInStore, shownImages } from "./sound-store.js";
import { Workplace } from "./workplace.js";

const KILLS = 20;
const TIMEOUT_MS = 600_000;
const options = { timeout: TIMEOUT_MS };

/** A root of some files and 8 MB, so that a moment in the midst of the work can be hit. */
async function rootArchive(place: Workplace): Promise<string> {
  const root = place.directory("root");
  makePlainRoot(root);
  for (let n = 0; n < 40; n += 1)
    writeFileSync(join(root, `srv/${n}`), Buffer.alloc(200_000, `${n} `));
  const archive = place.at("root.tar");
  await packTree(root, archive);
  return archive;
}

interface KillPlan {
  readonly place: Workplace;
  readonly random: Random;
  /** The command; it adds an image with the name "added:1". */
  readonly args: readonly string[];
  /** After each killed command, before the store is looked at. */
  readonly between?: () => Promise<void>;
  /** Of what the store keeps, what must be as before the command after each; all of it if absent. */
  readonly keptBetween?: (found: Record<string, unknown>) => Record<string, unknown>;
}

/** Runs the command to its end once to learn its time, then kills it again and again. */
async function killAtRandom(t: TestContext, plan: KillPlan): Promise<void> {
  const { place, random, args, keptBetween = (found) => found } = plan;
  const began = performance.now();
  await place.strata(...args);
  const tookMs = performance.now() - began;
  await place.strata("rmi", "added:1");
  const kept = await keptInStore(place);
  const before = await shownImages(place);
  let finished = 0;
  for (let n = 0; n < KILLS; n += 1) {
    // The first part of the time is the start of the program itself.
    const killAfterMs = tookMs * 0.4 + random.below(Math.ceil(tookMs * 0.9));
    const { status } = await place.tryStrata(args, { killAfterMs });
    await plan.between?.();
    await expectSound(place);
    const added = (await shownImages(place)).filter((line) => !before.includes(line));
    if (status === 0 || added.length > 0) {
      finished += 1;
      deepStrictEqual(
        added.map((line) => line.split(" ")[1]),
        ["added:1"],
      );
      await place.strata("rmi", "added:1");
    }
    deepStrictEqual(keptBetween(await keptInStore(place)), keptBetween(kept));
    deepStrictEqual(await shownImages(place), before);
  }
  t.diagnostic(`${finished} of ${KILLS} commands of ${Math.round(tookMs)} ms came to their end`);
}

function seeded(t: TestContext): Random {
  const seed = freshSeed();
  t.diagnostic(`STRATA_TEST_SEED=${seed}`);
  return seededRandom(seed);
}

test("import: kill -9 leaves the store as before or with the whole image", options, async (t) => {
  await using place = new Workplace();
  const archive = await rootArchive(place);
  await killAtRandom(t, { place, random: seeded(t), args: ["import", archive, "added:1"] });
});

for (const format of ["docker", "oci"]) {
  const name = `load: kill -9 leaves the store as before or with the whole image (${format})`;
  test(name, options, async (t) => {
    await using place = new Workplace();
    const saved = place.at("saved.tar");
    await place.strata("import", await rootArchive(place), "added:1");
    await place.strata("save", "--format", format, "-o", saved, "added:1");
    await place.strata("rmi", "added:1");
    await killAtRandom(t, { place, random: seeded(t), args: ["load", "-i", saved] });
  });
}

test("commit: kill -9 leaves store and mount as before, or with the whole image", {
  ...options,
  skip: needsRoot,
}, async (t) => {
  await using place = new Workplace();
  await place.strata("import", await rootArchive(place), "base");
  const kept = await keptInStore(place);
  const target = await place.mount("base", "box", "--name", "box");
  for (let n = 0; n < 40; n += 2)
    writeFileSync(join(target, `srv/${n}`), Buffer.alloc(300_000, "x"));
  let writes = 0;
  await killAtRandom(t, {
    place,
    random: seeded(t),
    args: ["commit", "box", "added:1"],
    // A pause that outlived the command would hang here.
    between: async () => {
      writes += 1;
      writeFileSync(join(target, "written"), String(writes));
      equal(readFileSync(join(target, "written"), "utf8"), String(writes));
    },
    // What was frozen and archived is the container's from then on, with an image of it or without.
    keptBetween: ({ blobs: _blobs, layers: _layers, ...rest }) => rest,
  });
  match(await place.strata("containers"), /Mounted on/);
  await place.strata("unmount", target);
  await place.strata("rm", "box");
  deepStrictEqual(await keptInStore(place), { ...kept, root: (await keptInStore(place))["root"] });
});
