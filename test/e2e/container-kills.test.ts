// kill -9 of a monitor, a mount process, and of commands at any moment: after each, `ps` says what the
// kernel shows, `rm -f` takes everything away, and the store is sound. STRATA_KILLS sets how often.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Box, cannotRun, until } from "./box.js";
import { expectNothingLeft, shown } from "./container-place.js";
import { freshSeed, seededRandom } from "./seeded-random.js";
import { expectSound } from "./sound-store.js";
import { strataMain } from "./workplace.js";

const KILLS = Number(process.env["STRATA_KILLS"] ?? 8);
const SLOWEST_MS = 20_000;
/** As long as a command takes on a machine at rest; most moments of it are hit. */
const COMMAND_MS = 1200;
const CHECKED_EVERY = 5;

interface Victim {
  readonly title: string;
  readonly kill: (box: Box, name: string) => Promise<void>;
}

/** The pid in a file of the container's, at `path` in its JSON. */
function pidIn(box: Box, file: string, key?: string): number {
  const [id = ""] = box.containers;
  const value = JSON.parse(readFileSync(join(box.store, "containers", id, file), "utf8")) as {
    readonly [key: string]: unknown;
  };
  const place = (key === undefined ? value : value[key]) as { readonly pid: number };
  ok(Number.isInteger(place.pid) && place.pid > 1);
  return place.pid;
}

/** Starts a command and kills it after a part of the time that it takes. */
async function killCommand(box: Box, words: readonly string[], afterMs: number): Promise<void> {
  const child = spawn(process.execPath, ["--", strataMain, "--root", box.store, ...words], {
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await Promise.race([ended, sleep(afterMs)]);
  child.kill("SIGKILL");
  await ended;
}

function runWords(name: string): string[] {
  return ["run", "-d", "--name", name, "box", ...programWords(name)];
}

/** The name is an argument, so that the program can be found by it. */
function programWords(name: string): string[] {
  return ["sh", "-c", "while :; do echo written >>/data/file; sleep 1; done", name];
}

function commandVictim(title: string, words: (name: string) => readonly string[]): Victim {
  return {
    title,
    kill: async (box, name) => {
      const isRun = title === "run";
      if (!isRun) await box.strata(...runWords(name));
      await killCommand(box, words(name), random.below(COMMAND_MS));
    },
  };
}

const seed = freshSeed();
const random = seededRandom(seed);

const VICTIMS: readonly Victim[] = [
  {
    title: "monitor",
    kill: async (box, name) => {
      await box.strata(...runWords(name));
      await sleep(random.below(300));
      process.kill(pidIn(box, "state.json", "monitor"), "SIGKILL");
    },
  },
  {
    title: "mount process",
    kill: async (box, name) => {
      await box.strata(...runWords(name));
      await sleep(random.below(300));
      process.kill(pidIn(box, "mount.json"), "SIGKILL");
    },
  },
  {
    title: "both",
    kill: async (box, name) => {
      await box.strata(...runWords(name));
      const pids = [pidIn(box, "mount.json"), pidIn(box, "state.json", "monitor")];
      for (const pid of random.below(2) === 0 ? pids : pids.reverse()) process.kill(pid, "SIGKILL");
    },
  },
  commandVictim("run", runWords),
  commandVictim("stop", (name) => ["stop", "-t", "0", name]),
  commandVictim("exec", (name) => ["exec", name, "sh", "-c", "while :; do :; done"]),
  commandVictim("rm", (name) => ["rm", "-f", name]),
  commandVictim("commit", (name) => ["commit", name, "committed"]),
];

/** Programs of a container that run, by what its first one was called with. */
function programsOf(name: string): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid))
    .filter((pid) => {
      const words = commandLine(pid);
      return words[0] === "sh" && words.at(-1) === name;
    });
}

function commandLine(pid: number): readonly string[] {
  const path = `/proc/${pid}/cmdline`;
  try {
    return readFileSync(path, "utf8").split("\0").slice(0, -1);
  } catch (error) {
    if (error instanceof Error && "code" in error) return [];
    throw error;
  }
}

/** What ps says and what runs are the same; it may take the monitor a moment to write it down. */
async function expectTruth(box: Box, name: string, title: string): Promise<void> {
  let said = "";
  await until(`after the death of ${title} ps tells the truth`, async () => {
    const before = programsOf(name).length > 0;
    said = await shown(box, name, "{{.State}}");
    const after = programsOf(name).length > 0;
    if (before !== after) return false;
    return (said === "running") === after;
  });
  ok(["", "created", "running", "exited"].includes(said), said);
  if (title === "monitor" || title === "mount process" || title === "both") {
    await until("it has ended", async () => (await shown(box, name, "{{.State}}")) === "exited");
    strictEqual(programsOf(name).length, 0);
  }
}

test(`kill -9 at ${KILLS} moments`, {
  skip: cannotRun(),
  timeout: KILLS * SLOWEST_MS + 60_000,
}, async (t) => {
  t.diagnostic(`STRATA_TEST_SEED=${seed}`);
  await using box = await Box.make();
  for (let n = 0; n < KILLS; n++) {
    const victim = VICTIMS[n % VICTIMS.length];
    ok(victim !== undefined);
    const name = `killed-${process.pid}-${n}`;
    await victim.kill(box, name);
    const ids = box.containers;
    await expectTruth(box, name, victim.title);
    const left = (await box.strata("ps", "-aq")).split("\n").filter(Boolean);
    if (left.length > 0) await box.strata("rm", "-f", ...left);
    deepStrictEqual(box.containers, [], victim.title);
    await expectNothingLeft(box, ids);
    strictEqual(programsOf(name).length, 0);
    if (n % CHECKED_EVERY === CHECKED_EVERY - 1) await expectSound(box);
  }
  await expectSound(box);
  ok(existsSync(box.store));
});
