// Builds that end badly or meet each other: kill -9 at any time, two at once, a full disk. Afterwards the store
// is sound, the next build works, and nothing is mounted, runs or lies about.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { images, prune } from "../../src/engine/index.js";
import { Store } from "../../src/store/index.js";
import { BUSYBOX } from "./build-yard.js";
import { missing, needsRoot, run } from "./run-program.js";
import { freshSeed, seededRandom } from "./seeded-random.js";
import { expectSound, keptInStore } from "./sound-store.js";
import { mountPointsBelow, Workplace } from "./workplace.js";

const KILLS = 4;
const ENDED_WITHIN_MS = 30_000;
const options = {
  skip: needsRoot || missing("runc", "mkfs.ext4") || (BUSYBOX === "" && "no static busybox"),
  timeout: 240_000,
};

const DOCKERFILE = `FROM scratch AS base
COPY root /
RUN echo 1 > /one && dd if=/dev/zero of=/zeros bs=65536 count=32
RUN echo 2 > /two && rm /zeros && ln /one /linked
FROM base AS left
RUN echo left > /left && sleep 0.1
RUN echo more >> /left
FROM base AS right
RUN sleep 0.1; echo right > /right
COPY file /file
RUN cat /file >> /right
FROM base
COPY --from=left /left /
COPY --from=right /right /
RUN cat /left /right > /both
`;

function makeContext(place: Workplace, dockerfile = DOCKERFILE): string {
  const context = place.directory("context");
  mkdirSync(join(context, "root/bin"), { recursive: true });
  copyFileSync(BUSYBOX, join(context, "root/bin/busybox"));
  for (const name of ["sh", "echo", "dd", "rm", "ln", "sleep", "cat"]) {
    symlinkSync("busybox", join(context, "root/bin", name));
  }
  writeFileSync(join(context, "file"), "of the context\n");
  writeFileSync(join(context, "Dockerfile"), dockerfile);
  return context;
}

/** Processes that name the place: mount processes, containers' monitors, runtimes. */
function processesOf(place: Workplace): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
      return line.includes(place.path) ? [`${pid} ${line}`] : [];
    } catch (error) {
      // It has ended meanwhile.
      if (error instanceof Error && "code" in error) return [];
      throw error;
    }
  });
}

async function untilNoProcesses(place: Workplace): Promise<void> {
  const deadline = Date.now() + ENDED_WITHIN_MS;
  for (;;) {
    const left = processesOf(place);
    if (left.length === 0) return;
    ok(Date.now() < deadline, `still there: ${left.join("; ")}`);
    await sleep(50);
  }
}

test(`build: killed ${KILLS} times, then built`, options, async (t) => {
  const seed = freshSeed();
  t.diagnostic(`STRATA_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using place = new Workplace();
  const context = makeContext(place);
  const begun = performance.now();
  const whole = await place.strata("build", "-q", "--no-cache", "-t", "whole", context);
  const wholeMs = Math.ceil(performance.now() - begun);
  match(whole, /^sha256:/);
  await place.strata("rmi", "whole");
  for (let n = 0; n < KILLS; n++) {
    const killAfterMs = random.below(wholeMs);
    const args = ["build", "-q", "--no-cache", "-t", "killed", context];
    const { status } = await place.tryStrata(args, { killAfterMs });
    if (status === 0) continue;
    await expectSound(place);
    if (n % 2 === 1) {
      // Without another build, prune ends what was left.
      await prune(await Store.open(place.store));
      await untilNoProcesses(place);
      deepStrictEqual(mountPointsBelow(place.store), [], `after kill ${n}, ${killAfterMs} ms`);
      deepStrictEqual(readdirSync(join(place.store, "tmp")), []);
    }
  }
  await place.strata("build", "-q", "-t", "after", context);
  await expectSound(place);
  const out = place.directory("out");
  await place.strata("build", "-q", "-o", `type=local,dest=${out}`, context);
  strictEqual(readFileSync(join(out, "both"), "utf8"), "left\nmore\nright\nof the context\n");
  await keptInStore(place);
  await untilNoProcesses(place);
  deepStrictEqual(mountPointsBelow(place.store), []);
});

test("build: two at once of the same file", options, async () => {
  await using place = new Workplace();
  const context = makeContext(place);
  const ids = await Promise.all(
    ["one", "two"].map(async (name) => await place.strata("build", "-q", "-t", name, context)),
  );
  deepStrictEqual(
    ids.map((id) => /^sha256:[0-9a-f]{64}$/.test(id)),
    [true, true],
  );
  const names = (await images(await Store.open(place.store))).length;
  strictEqual(names, 2);
  deepStrictEqual(readdirSync(join(place.store, "tmp")), []);
  await expectSound(place);
  const again = await place.tryStrata(["build", "--progress", "plain", context]);
  strictEqual(again.stderr.match(/CACHED/g)?.length, 11);
});

test("build: a full disk fails the step, and keeps what was before", options, async () => {
  await using outer = new Workplace();
  const disk = outer.directory("disk");
  await run("truncate", ["-s", "48M", outer.at("disk.img")]);
  await run("mkfs.ext4", ["-q", "-F", "-m0", outer.at("disk.img")]);
  await run("mount", ["-o", "loop", outer.at("disk.img"), disk]);
  await using place = new Workplace(join(disk, "store"));
  const before = "FROM scratch\nCOPY root /\nRUN echo 1 > /one\n";
  // The first is refused a write, the second has room for the files and none for their archive.
  const full = [
    "RUN dd if=/dev/zero of=/large bs=65536 count=2000",
    "RUN dd if=/dev/zero of=/large bs=65536 count=400",
  ];
  const context = makeContext(place, before);
  await place.strata("build", "-q", "-t", "small", context);
  const kept = await keptInStore(place);
  for (const step of full) {
    writeFileSync(join(context, "Dockerfile"), `${before}${step}\nRUN echo 2 > /two\n`);
    const outcome = await place.tryStrata(["build", "-q", "-t", "large", context]);
    ok(outcome.status !== 0, step);
    match(outcome.stderr, /No space left on device|no space left|ENOSPC/i);
    match(outcome.stderr, /Dockerfile:4: .* in "RUN dd/);
    deepStrictEqual(mountPointsBelow(place.store), []);
    await expectSound(place);
    deepStrictEqual(await keptInStore(place), kept, step);
  }
  const { bavail, bsize } = statfsSync(disk);
  ok(bavail * bsize > 24 << 20, "what failed takes no room");
  writeFileSync(join(context, "Dockerfile"), `${before}RUN echo 2 > /two\n`);
  await place.strata("build", "-q", "-t", "small", context);
  await untilNoProcesses(outer);
});
