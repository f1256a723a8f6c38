// How samples become ratios and verdicts; and the command line. By hand-made numbers.

import { deepStrictEqual, equal, match, ok, throws } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseOptions } from "../../bench/options.js";
import { formatChart } from "../../bench/report/chart.js";
import { joined, measuredRows, requireSame } from "../../bench/report/continued.js";
import type { Run } from "../../bench/report/results.js";
import {
  type Measured,
  median,
  ratioOf,
  referenceOf,
  type Sample,
} from "../../bench/report/sample.js";
import { formatMeasured, formatValue, formatVerdicts } from "../../bench/report/table.js";
import { MISSED_PAGE, TARGETS } from "../../bench/report/targets.js";
import { verdictsOf } from "../../bench/report/verdict.js";
import { projectRoot } from "../tidy/source-tree.js";

function samplesOf(row: string, values: Readonly<Record<string, readonly number[]>>): Sample[] {
  return Object.entries(values).flatMap(([subject, list]) =>
    list.map((value, round) => ({ row, subject, round, value })),
  );
}

const measured: Measured = {
  rows: [
    { key: "walk", label: "a walk", unit: "s" },
    { key: "commit/byte", label: "a commit", unit: "s" },
  ],
  samples: [
    ...samplesOf("walk", {
      overlayfs: [0.1, 0.2, 0.4],
      strata: [0.2, 0.2, 0.2],
      "fuse-overlayfs": [1, 1, 1],
    }),
    ...samplesOf("commit/byte", { strata: [1], podman: [4], umoci: [3] }),
  ],
  gaps: [],
};

test("median: the middle one, or the mean of the two in the middle", () => {
  equal(median([3, 1, 2]), 2);
  equal(median([4, 1, 2, 3]), 2.5);
  equal(Number.isNaN(median([])), true);
});

test("ratioOf: of medians, beside the least and largest of single rounds", () => {
  deepStrictEqual(ratioOf(measured.samples, "walk", "strata", "overlayfs"), {
    medians: 1,
    least: 0.5,
    largest: 2,
  });
  equal(ratioOf(measured.samples, "walk", "strata", "podman"), undefined);
});

test("referenceOf: kernel overlayfs, else the fastest that isn't strata", () => {
  equal(referenceOf(measured.samples, "walk"), "overlayfs");
  equal(referenceOf(measured.samples, "commit/byte"), "umoci");
  equal(referenceOf(measured.samples, "nothing"), undefined);
});

test("verdictsOf: fuse-overlayfs stands in for 2.x; unmeasured rows have none", () => {
  const verdicts = verdictsOf(measured, [
    { kind: "ratio", rows: /^walk$/, to: "fuse-overlayfs", atMost: 0.1 },
    { kind: "ratio", rows: /^walk$/, to: "overlayfs", atMost: 1 },
    { kind: "ratio", rows: /^walk$/, to: "overlayfs-metacopy", atMost: 1 },
    { kind: "ratio", rows: /^commit/, to: "fastest peer", atMost: 0.5 },
    { kind: "flat", rows: /^commit/, toRow: "walk", atMost: 2 },
    { kind: "seconds", rows: /^walk$/, atMost: 0.2 },
  ]);
  deepStrictEqual(
    verdicts.map(({ target, measured: value, met }) => [target, value, met]),
    [
      ["<= 0.1 x fuse-overlayfs", "0.20", false],
      ["<= 1 x overlayfs", "1.00 (0.50-2.00)", true],
      ["<= 0.5 x umoci", "0.33", true],
      ["<= 2 x strata in walk", "5.00", false],
    ],
  );
});

test("formatVerdicts: what is missed says where its profile is, in a section that there is", () => {
  const [, , line = ""] = formatVerdicts(
    verdictsOf(measured, [
      { kind: "ratio", rows: /^walk$/, to: "fuse-overlayfs", atMost: 0.1, why: "cold-walk" },
    ]),
  ).split("\n");
  match(line, /\| MISSED: \[why\]\(\.\.\/\.\.\/native-notes\/missed-targets\.md#cold-walk\) \|$/);
  const page = readFileSync(join(projectRoot, "bench/results", MISSED_PAGE), "utf8");
  const sections = [...page.matchAll(/^## (.+)$/gm)].map(([, title = ""]) =>
    title.toLowerCase().replaceAll(" ", "-"),
  );
  for (const { why } of TARGETS) if (why !== undefined) ok(sections.includes(why), why);
});

test("formatMeasured: a table for the mounts and one for the commits", () => {
  const [mounts = "", commits = ""] = formatMeasured(measured).split("\n\n");
  match(mounts, /^\| median, ratio \(spread\) \| overlayfs \| strata .*\| fuse-overlayfs /);
  match(mounts, /\| a walk +\| 200 ms +\| 200 ms 1\.00 \(0\.50-2\.00\) \|/);
  match(commits, /\| a commit +\| 1\.00 s 0\.33 \| 4\.00 s 1\.33 \| 3\.00 s \|/);
});

test("formatValue: three digits that count, in a unit that fits", () => {
  deepStrictEqual(
    [0.000_012_3, 0.0456, 1.5, 123.4].map((value) => formatValue(value, "s")),
    ["12.3 µs", "45.6 ms", "1.50 s", "123 s"],
  );
  equal(formatValue(96.04, "MiB"), "96.0 MiB");
});

test("formatChart: every subject of every row has its dot; text is escaped", () => {
  const chart = formatChart(measured, "<caption> & more");
  equal(chart.match(/<g><title>/g)?.length, 6);
  match(chart, /&lt;caption&gt; &amp; more/);
});

test("parseOptions: lists by commas; numbers are checked", () => {
  const { only, subjects, rounds, sizes } = parseOptions(["--small", "--only", "walk,list"]);
  deepStrictEqual([only, subjects, rounds, sizes.name], [["walk", "list"], [], 1, "small"]);
  throws(() => parseOptions(["--rounds", "0"]), /whole number above 0/);
  throws(() => parseOptions(["--no-such-option"]), { code: "INVALID_ARGUMENT" });
});

test("joined: rows with a value stay, the others are the later run's, in the order of all", () => {
  const earlier = {
    ...measured,
    rows: [...measured.rows, { key: "untar", label: "cut off", unit: "s" } as const],
    gaps: [{ row: "untar", subject: "strata", reason: "stopped" }],
  };
  deepStrictEqual(measuredRows(earlier), new Set(["walk", "commit/byte"]));
  const later: Measured = {
    rows: [
      { key: "untar", label: "untar", unit: "s" },
      { key: "walk", label: "again", unit: "s" },
    ],
    samples: [...samplesOf("untar", { strata: [7] }), ...samplesOf("walk", { strata: [9] })],
    gaps: [],
  };
  const both = joined(earlier, later, ["untar", "walk"]);
  deepStrictEqual(
    both.rows.map(({ label }) => label),
    ["untar", "a walk", "a commit"],
  );
  deepStrictEqual(both.samples, [...earlier.samples, ...samplesOf("untar", { strata: [7] })]);
  deepStrictEqual(both.gaps, []);
});

test("requireSame: what was measured elsewhere is not continued", () => {
  const machine = {
    ...{ processor: "one", processors: 2, memoryGiB: 4, kernel: "6.18" },
    ...{ fileSystem: "ext4", node: "v20", versions: {} },
  };
  const run: Run = {
    ...{ date: "", sizes: "full", rounds: 3, machine, missing: {} },
    ...{ measured, verdicts: [], hints: [] },
  };
  requireSame(run, "full", { ...machine, versions: { umoci: "0.4.7" } });
  throws(() => requireSame(run, "small", machine), /Cannot continue the run of "full size, one/);
  throws(() => requireSame(run, "full", { ...machine, kernel: "6.19" }), /Cannot continue/);
});
