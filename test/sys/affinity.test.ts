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

/** The first two processors that this process may use, or the only one: not 0 and 1 in every container. */
function someProcessors(): string[] {
  const told = spawnSync("taskset", ["-cp", String(process.pid)], { encoding: "utf8" });
  const ranges = told.stdout.trim().replace(/^.*: /, "").split(",");
  return ranges
    .flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return first === last ? [first] : [first, first + 1];
    })
    .slice(0, 2)
    .map(String);
}

test("leaveOneProcessor: no thread runs on the last one any more", (t) => {
  const [first = "", second] = someProcessors();
  if (second === undefined) {
    t.skip("there is one processor");
    return;
  }
  assert.deepEqual(threadsAfterLeaving(`${first},${second}`), [first]);
});

test("leaveOneProcessor: the only one is kept", () => {
  const [first = ""] = someProcessors();
  assert.deepEqual(threadsAfterLeaving(first), [first]);
});
