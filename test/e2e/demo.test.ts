// scripts/demo: from a checkout to a changed image in one command; twice in a row, and after a run
// that was killed.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { missing, needsRoot, run } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { mountPointsBelow, Workplace } from "./workplace.js";

const DEMO = "scripts/demo";
const options = {
  skip: needsRoot || missing("busybox"),
  timeout: 300_000,
};

function expectNothingLeft(scratch: string): void {
  deepStrictEqual(readdirSync(scratch), []);
  deepStrictEqual(mountPointsBelow(scratch), []);
}

/** Starts the demo and kills it (and it alone) once it has printed this. */
async function killedAfter(scratch: string, text: string): Promise<void> {
  const demo = spawn(DEMO, {
    env: { ...process.env, TMPDIR: scratch },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let printed = "";
  demo.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
    if (printed.includes(text)) demo.kill("SIGKILL");
  });
  await once(demo, "exit");
  demo.stdout.destroy();
  equal(demo.signalCode, "SIGKILL", printed);
}

test("scripts/demo: works twice in a row, and leaves nothing", options, async () => {
  await using place = new Workplace();
  const scratch = place.directory("tmp");
  for (const turn of ["first", "second"]) {
    const printed = await run(DEMO, [], { env: { TMPDIR: scratch } });
    match(printed, /D \/usr\/share\/greetings/, turn);
    match(printed, /made in the mount\n {3}hello from the image\n {3}changed/, turn);
    match(printed, /The store is sound: /, turn);
    expectNothingLeft(scratch);
  }
});

test("scripts/demo: takes an image archive of the user's", options, async () => {
  await using place = new Workplace();
  const scratch = place.directory("tmp");
  makePlainRoot(place.directory("root"));
  await packTree(place.at("root"), place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "mine:1");
  await place.strata("save", "-o", place.at("mine.tar"), "mine:1");
  const printed = await run(DEMO, [place.at("mine.tar")], { env: { TMPDIR: scratch } });
  match(printed, /Loaded image: mine:1/);
  match(printed, /The store is sound: /);
  expectNothingLeft(scratch);
});

test("scripts/demo: works after a run that was killed while it had mounts", options, async () => {
  await using place = new Workplace();
  const scratch = place.directory("tmp");
  for (const text of ["3. Change", "5. Mount the result"]) {
    await killedAfter(scratch, text);
    match(await run(DEMO, [], { env: { TMPDIR: scratch } }), /The store is sound: /);
    expectNothingLeft(scratch);
  }
});
