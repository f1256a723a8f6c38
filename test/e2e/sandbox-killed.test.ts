// kill -9 at each step of an apply: every file of the directory is the old one or the new one, nothing
// else may be done with the sandbox, and the next apply goes on from there.

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { apply } from "../../src/engine/index.js";
import { Store } from "../../src/store/index.js";
import { missing, needsRoot, run, tryRun } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { expectEqualTrees, listTree, withoutLinkCount } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const program = fileURLToPath(new URL("./killed-apply.js", import.meta.url));
const MANY = 200;

const BEFORE = `
mkdir -p dir/inner gone/deep swap trade
for n in one two three; do echo "old $n" >$n; echo "old $n" >dir/$n; done
echo inner >dir/inner/file; echo deep >gone/deep/file; echo in >swap/in; echo t >trade/t
echo was a file >becomes
ln one linked; ln -s one symlink
`;
const CHANGES = `
echo "new one" >one; echo "new two" >dir/two; rm three; echo new >new
rm -r gone; mv dir/inner moved; echo more >moved/more
rm -r swap; echo now a file >swap; rm becomes; mkdir becomes; echo in >becomes/in
mv trade t; mv dir trade; mv t dir; chmod 600 trade/one; ln -sf two symlink
`;

/** At the others the apply is stopped by an error: all that it keeps is on the disk, as after a kill. */
const KILLED = new Set([-1, 0, 4, 9, 15, 22]);

/** True when there was no such step any more. */
async function killAt(place: Workplace, step: number): Promise<boolean> {
  const { status, stderr } = await tryRun(process.execPath, [
    program,
    place.store,
    "try",
    String(step),
  ]);
  ok(status === null || status === 0, stderr);
  return status === 0;
}

async function stopAt(place: Workplace, step: number): Promise<boolean> {
  const stopped = new Error(`stopped at ${step}`);
  try {
    await apply(await Store.open(place.store), {
      container: "try",
      beforeStep: (present) => {
        if (present === step) throw stopped;
      },
    });
    return true;
  } catch (error) {
    equal(error, stopped);
    return false;
  }
}

type Contents = ReadonlyMap<string, string>;

function contentsOf(directory: string): Contents {
  const found = new Map<string, string>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(directory.length + 1);
    if (!name.startsWith(".strata-")) found.set(name, readFileSync(path, "utf8"));
  }
  return found;
}

/** Old or new; a file in a directory that was moved may still be the old one at its new place. */
function expectWhole(directory: string, before: Contents, after: Contents): void {
  const present = contentsOf(directory);
  const all = [...before.values(), ...after.values()];
  for (const [path, content] of present) {
    const isMoved = /^(dir|trade|moved)\//.test(path);
    const known = isMoved ? all : [before.get(path), after.get(path)];
    ok(known.includes(content), `${path}: ${content}`);
  }
  for (const path of ["one", "linked", "two"]) ok(present.has(path), `${path} is never absent`);
}

test("apply: kill -9 at each step leaves each file old or new, and the next one goes on", {
  skip: needsRoot || missing("sh"),
  timeout: 180_000,
}, async () => {
  await using place = new Workplace();
  const directory = place.directory("directory");
  await run("sh", ["-ec", BEFORE], { cwd: directory });
  const before = contentsOf(directory);
  const target = place.directory("mounts/try");
  await place.strata("mount", "--name", "try", "--from-dir", directory, target);
  await run("sh", ["-ec", CHANGES], { cwd: target });
  const shown = await listTree(target);
  const after = contentsOf(target);
  await place.strata("unmount", target);

  let ended = false;
  for (let step = -1; !ended && step < MANY; step += 1) {
    ended = KILLED.has(step) ? await killAt(place, step) : await stopAt(place, step);
    expectWhole(directory, before, after);
    if (step !== 3) continue;
    const refused = await place.tryStrata(["mount", "try", target]);
    equal(refused.status, 1);
    match(refused.stderr, /was interrupted; finish it with: strata apply try\n$/);
    equal((await place.tryStrata(["rm", "try"])).status, 1);
    await expectSound(place);
  }
  ok(ended);
  expectEqualTrees(shown, await listTree(directory), "sandbox and applied", withoutLinkCount);
  deepEqual(
    readdirSync(directory).filter((name) => name.startsWith(".strata")),
    [],
  );
  // The last thing of all: it is done, and only its journal is still there.
  equal(await place.strata("apply", "try"), directory);
  equal(await place.strata("diff", "try"), "");
  await expectSound(place);
});
