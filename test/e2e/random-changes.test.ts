// The same random changes, made in a mount and in a plain directory, end in the same tree.

import { equal } from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, needsRoot, run } from "./run-program.js";
import { copyTree, makeSampleRoot, packTree } from "./sample-root.js";
import { freshSeed } from "./seeded-random.js";
import { expectEqualTrees, listTree, withoutTime } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const ROUNDS = 4;
const CHANGES = 250;
const program = fileURLToPath(new URL("./random-changes.js", import.meta.url));

test("mount: random changes end as in a plain directory", {
  skip: needsRoot || missing("setcap", "setfattr"),
  timeout: 300_000,
}, async (t) => {
  await using place = new Workplace();
  const root = place.directory("root");
  await makeSampleRoot(root);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "base");
  const first = freshSeed();
  for (let seed = first; seed < first + ROUNDS; seed += 1) {
    t.diagnostic(`STRATA_TEST_SEED=${seed}`);
    const plain = place.at(`plain-${seed}`);
    await copyTree(root, plain);
    const target = await place.mount("base", `seed-${seed}`);
    const args = [String(seed), String(CHANGES)];
    const counts = await run(process.execPath, [program, plain, ...args]);
    const sameCounts = await run(process.execPath, [program, target, ...args]);
    t.diagnostic(counts.trim());
    equal(sameCounts, counts, "the same changes were possible");
    expectEqualTrees(await listTree(plain), await listTree(target), "plain and mount", withoutTime);
    await place.strata("unmount", target);
  }
});
