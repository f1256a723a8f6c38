// The same random changes, made in a plain copy of a directory and in a sandbox of the directory, which is
// then applied, end in the same tree; and in the very tree that the sandbox showed, with its times.

import { equal } from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, needsRoot, run } from "./run-program.js";
import { copyTree, makeSampleRoot } from "./sample-root.js";
import { freshSeed } from "./seeded-random.js";
import { expectSound } from "./sound-store.js";
import { expectEqualTrees, listTree, withoutLinkCount, withoutTime } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const ROUNDS = 3;
const CHANGES = 120;
const program = fileURLToPath(new URL("./random-changes.js", import.meta.url));

test("apply: random changes end as in a plain copy of the directory", {
  skip: needsRoot || missing("setcap", "setfattr"),
  timeout: 300_000,
}, async (t) => {
  await using place = new Workplace();
  const [directory, plain] = [place.at("directory"), place.at("plain")];
  await makeSampleRoot(place.directory("root"));
  await copyTree(place.at("root"), directory);
  await copyTree(place.at("root"), plain);
  const target = place.directory("mounts/try");
  const first = freshSeed();
  for (let round = 0; round < ROUNDS; round += 1) {
    t.diagnostic(`STRATA_TEST_SEED=${first + round}`);
    // The second time it is mounted empty, and goes on.
    if (round === 0) await place.strata("mount", "--name", "try", "--from-dir", directory, target);
    else await place.strata("mount", "try", target);
    for (const part of [1, 2]) {
      const args = [String(2 * (first + round) + part), String(CHANGES)];
      const counts = await run(process.execPath, [program, plain, ...args]);
      equal(await run(process.execPath, [program, target, ...args]), counts);
      // Once more layers than one are to be applied.
      if (part === 1 && round !== 1) await place.strata("branch", "try", `other-${round}`);
    }
    const shown = await listTree(target);
    expectEqualTrees(await listTree(plain), shown, "plain and sandbox", withoutTime);
    await place.strata("unmount", target);
    await place.strata("apply", "try");
    expectEqualTrees(shown, await listTree(directory), "sandbox and applied", withoutLinkCount);
    equal(await place.strata("diff", "try"), "");
    await expectSound(place);
  }
});
