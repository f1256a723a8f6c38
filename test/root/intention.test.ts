// Uppers where renameat2 has no flags: a step that is killed at any of its calls shows, after the next
// opening, the tree from before it or the one from after it.

import { deepStrictEqual, notEqual, ok } from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openDirectoryLayer } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import { missing, needsRoot, run, tryRun } from "../e2e/run-program.js";
import { FORMS } from "../layer/upper-forms.js";
import { upperAt } from "../overlay/directory-layers.js";
import { type Snapshot, snapshotTree } from "../overlay/snapshot.js";

const program = fileURLToPath(new URL("./intention-step.js", import.meta.url));
/** What gives and takes names; marks are set in between. */
const CALLS = ["renameat2", "unlinkat", "linkat"];
const STEPS = ["rmdir", "mkdir", "rename", "move"];

/** The same calls as without xattrs for whiteouts, but for `.wh.` files. */
const PLAIN = ["whiteouts as xattrs, plain renames", "whiteouts as files"];

function shown(directory: string, form: string): Snapshot {
  const stack = [openDirectoryLayer(join(directory, "lower"))];
  const overlay = new Overlay({ stack, upper: upperAt(join(directory, "top"), FORMS[form]) });
  try {
    return snapshotTree(overlay.tree());
  } finally {
    overlay.close();
  }
}

const child = (to: string, words: readonly string[]) => [process.execPath, program, to, ...words];

const TRACE = ["-f", "-qq", "-e", `trace=${CALLS.join()}`];

/** How often the step calls each of CALLS when it comes to its end, and what is shown then. */
async function wholeStep(from: string, to: string, words: readonly string[], log: string) {
  await run("cp", ["-a", from, to]);
  // Faster; but signals don't come through so.
  await run("strace", ["--seccomp-bpf", ...TRACE, "-o", log, ...child(to, words)]);
  const lines = readFileSync(log, "utf8").split("\n");
  return CALLS.map((call) => lines.filter((line) => line.includes(` ${call}(`)).length);
}

/** Killed at each of its calls; how often. */
async function killAll(scratch: string, form: string, step: string): Promise<number> {
  const [from, whole] = [join(scratch, "from"), join(scratch, `whole-${step}`)];
  const words = [form, step];
  const before = shown(from, form);
  const counts = await wholeStep(from, whole, words, join(scratch, "log"));
  const after = shown(whole, form);
  const kills = CALLS.flatMap((call, index) =>
    Array.from({ length: counts[index] ?? 0 }, (_, at) => ({ call, at: at + 1 })),
  );
  await eachOf(kills, async ({ call, at }) => {
    const to = join(scratch, `${step}-${call}-${at}`);
    await run("cp", ["-a", from, to]);
    const kill = ["-o", "/dev/null", "-e", `inject=${call}:signal=SIGKILL:when=${at}`];
    const { status } = await tryRun("strace", [...TRACE, ...kill, ...child(to, words)]);
    notEqual(status, 0, `${step}, to be killed at ${call} ${at}`);
    const now = shown(to, form);
    if (JSON.stringify(now) !== JSON.stringify(before)) {
      deepStrictEqual(now, after, `${step}, killed at ${call} ${at}`);
    }
  });
  return kills.length;
}

/** Two at a time. */
async function eachOf<T>(all: readonly T[], use: (one: T) => Promise<void>): Promise<void> {
  const rest = [...all];
  const worker = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) await use(next);
  };
  await Promise.all([worker(), worker()]);
}

for (const form of PLAIN) {
  test(`a killed step of an upper (${form}) is done or not done`, {
    skip: needsRoot || missing("strace"),
    timeout: 200_000,
  }, async (t) => {
    const scratch = mkdtempSync(join(tmpdir(), "strata-intention-"));
    try {
      const from = join(scratch, "from");
      for (const name of ["full", "dir/sub"]) {
        mkdirSync(join(from, "lower", name), { recursive: true });
      }
      for (const name of ["file", "gone", "dir/x", "full/x"]) {
        writeFileSync(join(from, "lower", name), name);
      }
      await run(process.execPath, [program, from, form, "prepare"]);
      for (const step of STEPS) {
        // Without marks a directory with lower parts does not move.
        if (form === "whiteouts as files" && step === "move") continue;
        const kills = await killAll(scratch, form, step);
        ok(kills > 2, "there is something to be killed at");
        t.diagnostic(`${step}: killed at ${kills} calls`);
      }
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
}
