// kill -9 of the mount process in the midst of random changes: mounted again, the tree has every
// change that had come to its end, and the one that had not either whole or not at all.

import { match } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, needsRoot, run } from "./run-program.js";
import { copyTree, makeSampleRoot, packTree } from "./sample-root.js";
import { freshSeed, seededRandom } from "./seeded-random.js";
import { expectSound } from "./sound-store.js";
import { type Attributes, differences, listTree, withoutTime } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const KILLS = 6;
const program = fileURLToPath(new URL("./random-changes.js", import.meta.url));
/** Changes of one system call each: they are there or not. The others may be seen half done. */
const SINGLE = [
  ...["mkdir", "symlink", "fifo", "device", "link", "unlink", "rmdir", "rename", "renameOver"],
  ...["renameFresh", "exchange", "truncate", "openTruncate", "punch", "sync"],
  ...["chmod", "chown", "setxattr", "setTrusted", "removexattr", "utimens"],
];

/** The count of names of a file is written after the name: overlay/hard-links.ts. */
function comparable(path: string, attributes: Attributes): Attributes {
  const { links: _links, ...rest } = withoutTime(path, attributes);
  return rest;
}

interface Done {
  readonly ended: number;
  /** The change that was under way. */
  readonly begun: string | undefined;
}

/** Lets the changes run for a while, then kills the mount process under them. */
async function changeAndKill(
  target: string,
  pid: number,
  seed: number,
  afterMs: number,
): Promise<Done> {
  const child = spawn(process.execPath, [program, target, String(seed), "1000000", "tell"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const closed = once(child, "close");
  await once(child.stdout, "data");
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  process.kill(pid, "SIGKILL");
  await closed;
  const lines = output.split("\n");
  return {
    ended: lines.filter((line) => line === "end").length,
    begun: lines.at(-2)?.startsWith("begin ") === true ? lines.at(-2)?.slice(6) : undefined,
  };
}

async function killOnce(t: TestContext, place: Workplace, seed: number): Promise<void> {
  const name = `seed-${seed}`;
  const target = await place.mount("base", name, "--name", name);
  const afterMs = 200 + seededRandom(seed).below(1500);
  const done = await changeAndKill(target, await place.pidOf(name), seed, afterMs);
  t.diagnostic(`STRATA_TEST_SEED=${seed}: ${done.ended} changes, then ${done.begun ?? "nothing"}`);
  await expectSound(place);
  await place.strata("unmount", target);
  await place.mount(name, name);
  const found = await listTree(target);
  await place.strata("unmount", target);

  const complaints: string[] = [];
  for (const changes of [done.ended, done.ended + 1]) {
    const plain = place.at(`plain-${seed}-${changes}`);
    await copyTree(place.at("root"), plain);
    await run(process.execPath, [program, plain, String(seed), String(changes)]);
    const differ = differences(await listTree(plain), found, comparable);
    await run("rm", ["-rf", plain]);
    if (differ.length === 0) return;
    complaints.push(`after ${changes} changes: ${differ.slice(0, 10).join("\n  ")}`);
  }
  if (done.begun === undefined || SINGLE.includes(done.begun))
    throw new Error(complaints.join("\n"));
  t.diagnostic(`${done.begun} was half done`);
}

test("mount process: kill -9 in the midst of random changes loses none that had ended", {
  skip: needsRoot || missing("setcap", "setfattr"),
  timeout: 300_000,
}, async (t) => {
  await using place = new Workplace();
  await makeSampleRoot(place.directory("root"));
  await packTree(place.at("root"), place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "base");
  const first = freshSeed();
  for (let seed = first; seed < first + KILLS; seed += 1) await killOnce(t, place, seed);
  match(await place.strata("prune"), /Total reclaimed space/);
  await expectSound(place);
});
