// Uppers where renameat2 has no flags: a step that is killed at any of its calls shows, after the next
// opening, the tree from before it or the one from after it.

import { deepStrictEqual, ok } from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
const MOST_CALLS = 20;
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

/** The step in a copy of `from`, killed as `kill` says. True when it came to its end. */
async function take(from: string, to: string, words: readonly string[], kill: string) {
  rmSync(to, { recursive: true, force: true });
  await run("cp", ["-a", from, to]);
  const trace = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${CALLS.join()}`];
  const inject = kill === "" ? [] : ["-e", `inject=${kill}`];
  const child = [process.execPath, program, to, ...words];
  return (await tryRun("strace", [...trace, ...inject, ...child])).status === 0;
}

/** Killed at each of its calls; how often. */
async function killAll(from: string, to: string, form: string, step: string): Promise<number> {
  const words = [form, step];
  const before = shown(from, form);
  ok(await take(from, to, words, ""), `${step} is done when it is not killed`);
  const after = shown(to, form);
  let kills = 0;
  for (const call of CALLS) {
    for (let at = 1; at < MOST_CALLS; at++) {
      if (await take(from, to, words, `${call}:signal=SIGKILL:when=${at}`)) break;
      kills += 1;
      const now = shown(to, form);
      if (JSON.stringify(now) === JSON.stringify(before)) continue;
      deepStrictEqual(now, after, `${step}, killed at ${call} ${at}`);
    }
  }
  return kills;
}

for (const form of PLAIN) {
  test(`a killed step of an upper (${form}) is done or not done`, {
    skip: needsRoot || missing("strace"),
    timeout: 200_000,
  }, async (t) => {
    const scratch = mkdtempSync(join(tmpdir(), "strata-intention-"));
    try {
      const [from, to] = [join(scratch, "from"), join(scratch, "to")];
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
        const kills = await killAll(from, to, form, step);
        ok(kills > 2, "there is something to be killed at");
        t.diagnostic(`${step}: killed at ${kills} calls`);
      }
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
}
