// Leaving a processor to others; taskset(1) tells who may run where.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

/** The processors of each thread of a process that begins on `list` and leaves one, as the kernel shows them. */
function threadsAfterLeaving(list: string): string[] {
  const sys = new URL("../../src/sys/index.js", import.meta.url).href;
  const script = `
    const { leaveOneProcessor } = await import(${JSON.stringify(sys)});
    const { spawnSync } = await import("node:child_process");
    leaveOneProcessor();
    const shown = spawnSync("taskset", ["-acp", String(process.pid)], { encoding: "utf8" });
    process.stdout.write(shown.stdout);`;
  const argv = ["-c", list, process.execPath, "--input-type=module", "-e", script];
  const child = spawnSync("taskset", argv, { encoding: "utf8" });
  assert.equal(child.status, 0, child.stderr);
  const lines = child.stdout.trim().split("\n");
  assert.ok(lines.length > 1, child.stdout);
  return [...new Set(lines.map((line) => line.replace(/^.*: /, "")))];
}

test("leaveOneProcessor: no thread runs on the last one any more", (t) => {
  const all = spawnSync("taskset", ["-cp", String(process.pid)], { encoding: "utf8" });
  if (!/[,-]/.test(all.stdout.replace(/^.*: /, ""))) {
    t.skip("there is one processor");
    return;
  }
  assert.deepEqual(threadsAfterLeaving("0,1"), ["0"]);
});

test("leaveOneProcessor: the only one is kept", () => {
  assert.deepEqual(threadsAfterLeaving("0"), ["0"]);
});
