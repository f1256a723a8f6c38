// The law of the project, on real mounts: a commit shows what was mounted. A child process changes
// the tree at random; whole trees are compared, each through a mount of its own.

import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot, run } from "./run-program.js";
import { copyTree, makeSampleRoot, packTree } from "./sample-root.js";
import { freshSeed } from "./seeded-random.js";
import { expectEqualTrees, listTree, type TreeListing, withoutLinkCount } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const ROUNDS = 4;
const CHANGES = 150;
const TIMEOUT_MS = 300_000;
const program = fileURLToPath(new URL("./random-changes.js", import.meta.url));

/** Changes the tree at a mount point; what is there then. */
async function change(target: string, seed: number): Promise<TreeListing> {
  await run(process.execPath, [program, target, String(seed), String(CHANGES)]);
  return await listTree(target);
}

/** Mounts for one look and unmounts. */
async function look(place: Workplace, image: string, name: string): Promise<TreeListing> {
  const target = await place.mount(image, name, "--read-only");
  const listing = await listTree(target);
  await place.strata("unmount", target);
  return listing;
}

/** One more layer on `image`, committed in both ways; the name of the new image. */
async function changeAndCommit(place: Workplace, image: string, seed: number): Promise<string> {
  const container = `seed-${seed}`;
  const target = await place.mount(image, container, "--name", container);
  const merged = await change(target, seed);

  await place.strata("commit", container, `${container}:mounted`);
  expectEqualTrees(merged, await listTree(target), "the mount after a commit");
  await place.strata("unmount", target);
  const remounted = await look(place, container, `${container}-again`);
  expectEqualTrees(merged, remounted, "the container mounted again");
  const committed = await look(place, `${container}:mounted`, `${container}-committed`);
  expectEqualTrees(merged, committed, "the image committed while mounted", withoutLinkCount);

  await place.strata("commit", container, `${container}:unmounted`);
  const later = await look(place, `${container}:unmounted`, `${container}-later`);
  expectEqualTrees(merged, later, "the image committed after unmounting", withoutLinkCount);

  const copy = place.at(`${container}-copy`);
  const again = await place.mount(container, `${container}-for-copy`);
  expectEqualTrees(merged, await listTree(again), "the container mounted again, writable");
  await copyTree(again, copy);
  await place.strata("unmount", again);
  expectEqualTrees(merged, await listTree(copy), "the copy itself", withoutLinkCount);
  await place.strata("commit", "--base", image, "--dir", copy, `${container}:directory`);
  const compared = await look(place, `${container}:directory`, `${container}-compared`);
  expectEqualTrees(merged, compared, "the image of the changed directory", withoutLinkCount);
  return `${container}:mounted`;
}

test("commit: merged(stack + commit(upper)) = merged(stack, upper), on real mounts", {
  skip: needsRoot,
  timeout: TIMEOUT_MS,
}, async (t) => {
  await using place = new Workplace();
  const root = place.directory("root");
  await makeSampleRoot(root);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "base");
  expectEqualTrees(await listTree(root), await look(place, "base", "base"), "the imported root");

  const first = freshSeed();
  let image = "base";
  for (let seed = first; seed < first + ROUNDS; seed += 1) {
    t.diagnostic(`seed ${seed} (STRATA_TEST_SEED repeats the run from seed ${first})`);
    image = await changeAndCommit(place, image, seed);
  }
  await place.strata("check");
});
