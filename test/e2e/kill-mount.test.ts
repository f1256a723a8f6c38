// kill -9 of the mount process while a program writes: nothing that was fsynced is lost, the command
// tells the truth about the dead mount, and the container can be mounted again.

import { deepStrictEqual, equal, match, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { freshSeed, type Random, seededRandom } from "./seeded-random.js";
import { expectSound } from "./sound-store.js";
import { SLOT_BYTES, slotContent } from "./synced-writer.js";
import { Workplace } from "./workplace.js";

const TIMEOUT_MS = 300_000;
const KILLS = 5;
const writer = fileURLToPath(new URL("./synced-writer.js", import.meta.url));
/** Of the image: small (through the page cache), large (by passthrough); and one that is new. */
const FILES = ["small", "large", "fresh"];

interface Slot {
  /** Highest version an fsync of the file has returned for; 0 when none. */
  synced: number;
  /** Written, or about to be. */
  begun: number[];
}

type Slots = Map<string, Slot>;

/** Adds what the writer's output says of each slot. */
function addTo(slots: Slots, output: string): void {
  for (const line of output.split("\n")) {
    const [file = "", slot = "", version, synced] = line.split(" ");
    if (version === undefined) continue;
    const key = `${file} ${slot}`;
    const known = slots.get(key) ?? { synced: 0, begun: [] };
    slots.set(key, known);
    if (synced === undefined) known.begun.push(Number(version));
    else known.synced = Number(version);
  }
}

/** Lets the writer work for a while, then kills the mount process under it; what it said. */
async function killWhileWriting(
  pid: number,
  target: string,
  random: Random,
  first: number,
): Promise<string> {
  const args = [writer, target, String(random.below(1e6)), String(first), ...FILES];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const closed = once(child, "close");
  await once(child.stdout, "data");
  await new Promise((resolve) => setTimeout(resolve, 100 + random.below(700)));
  process.kill(pid, "SIGKILL");
  await closed;
  return output;
}

/** Every slot holds a version that was begun, and none older than what was synced. */
function expectKept(target: string, slots: Slots): void {
  const contents = new Map(FILES.map((file) => [file, readFileSync(join(target, file))]));
  for (const [key, { synced, begun }] of slots) {
    const [file = "", slot = "0"] = key.split(" ");
    const at = Number(slot) * SLOT_BYTES;
    const found = contents.get(file)?.subarray(at, at + SLOT_BYTES) ?? Buffer.alloc(0);
    const version = Number(found.toString("latin1", 0, 15));
    ok(version >= synced, `${key} was synced with version ${synced} and has ${version}`);
    if (version === 0) continue;
    ok(begun.includes(version), `${key} has version ${version}, which was never written`);
    ok(found.equals(slotContent(version)), `${key} has a torn version ${version}`);
  }
}

/** One round; its versions begin at `first`. `slots` is what earlier rounds wrote. */
async function killAndMountAgain(
  t: TestContext,
  place: Workplace,
  random: Random,
  slots: Slots,
  first: number,
): Promise<void> {
  const target = await place.mount("box", "box");
  const pid = await place.pidOf("box");
  const output = await killWhileWriting(pid, target, random, first);
  addTo(slots, output);
  t.diagnostic(
    `${output.split("\n").length} lines, ${slots.size} slots, ${output.split("\n").at(-2)}`,
  );
  match(output, /ended (ENOTCONN|ECONNABORTED)\n$/);

  match(await place.strata("containers"), /Dead on .*mounts\/box/);
  const second = await place.tryStrata(["mount", "box", place.directory("elsewhere")]);
  equal(second.status, 1, "a dead mount is unmounted first");
  await expectSound(place);
  await place.strata("unmount", target);
  match(await place.strata("containers"), /Unmounted/);

  const again = await place.mount("box", "box");
  expectKept(again, slots);
  writeFileSync(join(again, "after"), "works");
  await place.strata("unmount", again);
  await expectSound(place);
}

test("mount process: kill -9 while a program writes loses nothing that was fsynced", {
  skip: needsRoot,
  timeout: TIMEOUT_MS,
}, async (t) => {
  await using place = new Workplace();
  const seed = freshSeed();
  t.diagnostic(`STRATA_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  const root = place.directory("root");
  makePlainRoot(root);
  writeFileSync(join(root, "small"), Buffer.alloc(64 * SLOT_BYTES, "0"));
  writeFileSync(join(root, "large"), Buffer.alloc(4 << 20, "0"));
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "image");
  const first = await place.mount("image", "box", "--name", "box");
  writeFileSync(join(first, "fresh"), Buffer.alloc(64 * SLOT_BYTES, "0"));
  await place.strata("unmount", first);
  const slots: Slots = new Map();
  for (let n = 0; n < KILLS; n += 1) {
    await killAndMountAgain(t, place, random, slots, n * 1_000_000 + 1);
  }
  await place.strata("commit", "box", "image:2");
  const target = await place.mount("image:2", "committed", "--read-only");
  deepStrictEqual(readFileSync(join(target, "after"), "utf8"), "works");
});

test("rm -f: takes a container away whose mount process was killed", {
  skip: needsRoot,
  timeout: TIMEOUT_MS,
}, async () => {
  await using place = new Workplace();
  const root = place.directory("root");
  makePlainRoot(root);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "image");
  const target = await place.mount("image", "idle", "--name", "idle");
  process.kill(await place.pidOf("idle"), "SIGKILL");
  await place.strata("rm", "-f", "idle");
  equal(await place.strata("containers", "-q"), "");
  await place.mount("image", "idle", "--name", "idle");
  equal(readFileSync(join(target, "etc/motd"), "utf8"), "hello\n");
});
