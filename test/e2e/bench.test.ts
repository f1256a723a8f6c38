// The benchmark runs from end to end at its smallest, and gives a value for every row; nothing is
// said of speed.

import { deepStrictEqual, match, ok } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Run } from "../../bench/report/results.js";
import { mountSkip } from "../mount/mounted.js";

const BENCH = fileURLToPath(new URL("../../bench/main.js", import.meta.url));
const SUBJECTS = "plain,overlayfs,strata,umoci";

test("bench: every row of a small run has strata's value", { skip: mountSkip }, () => {
  const output = mkdtempSync(join(tmpdir(), "strata-bench-results-"));
  try {
    const options = ["--small", "--subjects", SUBJECTS, "--output", output, "--profile"];
    const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, ...options], {
      encoding: "utf8",
    });
    deepStrictEqual(status, 0, stderr);
    const run = JSON.parse(readFileSync(join(output, "latest.json"), "utf8")) as Run;
    const { rows, samples, gaps } = run.measured;
    // A program that isn't installed here is no fault of the benchmark; it says so.
    const isMissing = (key: string): boolean =>
      gaps.some(({ row, reason }) => row === key && reason.startsWith("there is no "));
    const isMeasured = (key: string): boolean =>
      samples.some(({ row, subject }) => row === key && subject === "strata");
    const empty = rows.filter(({ key }) => !isMeasured(key) && !isMissing(key));
    deepStrictEqual(empty, [], stderr);
    ok(samples.every(({ value }) => value > 0));
    match(stdout, /^\| walk \(find -size\), .* \|$/m);
    match(stdout, /walk-.*\.strata: .* s: \d+% /);
    const chart = readFileSync(join(output, "latest.svg"), "utf8");
    match(chart, /^<svg .*<\/svg>\n$/s);
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
});
