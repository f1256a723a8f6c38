// Writes a run's results: latest.json (all samples), latest.md (tables), latest.svg (chart).

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatChart } from "./chart.js";
import { type Machine, machineLine } from "./machine.js";
import type { Measured } from "./sample.js";
import { formatMeasured, formatVerdicts } from "./table.js";
import type { Verdict } from "./verdict.js";

export interface Run {
  /** ISO 8601. */
  readonly date: string;
  /** "full" or "small". */
  readonly sizes: string;
  readonly rounds: number;
  readonly machine: Machine;
  /** Subjects that were left out, with the reason. */
  readonly missing: Readonly<Record<string, string>>;
  readonly measured: Measured;
  readonly verdicts: readonly Verdict[];
  readonly hints: readonly string[];
}

/** Only of full-sized work do targets speak. */
export function formatRun(run: Run): string {
  const { measured, verdicts, hints, missing } = run;
  const met = verdicts.filter((verdict) => verdict.met).length;
  const gaps = measured.gaps.map(({ row, subject, reason }) => `- ${subject}, ${row}: ${reason}`);
  const left = Object.entries(missing).map(([name, reason]) => `- ${name}: ${reason}`);
  const section = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : [`## ${title}`, lines.join("\n"), ""];
  return [
    `# Benchmark of ${run.date.slice(0, 10)}, ${run.sizes} size, up to ${run.rounds} rounds`,
    `${machineLine(run.machine)}`,
    "",
    formatMeasured(measured),
    ...(verdicts.length === 0
      ? []
      : [`## To be reached: ${met} of ${verdicts.length} met`, formatVerdicts(verdicts)]),
    ...section("Where strata's session spent its time", hints),
    ...section("Left out", [...left, ...gaps]),
  ].join("\n");
}

export function writeRun(folder: string, run: Run): void {
  mkdirSync(folder, { recursive: true });
  const caption = `${run.date.slice(0, 10)}, ${run.sizes} size. ${machineLine(run.machine)}`;
  writeFileSync(join(folder, "latest.json"), `${JSON.stringify(run, undefined, 1)}\n`);
  writeFileSync(join(folder, "latest.md"), `${formatRun(run)}\n`);
  writeFileSync(join(folder, "latest.svg"), formatChart(run.measured, caption));
}
