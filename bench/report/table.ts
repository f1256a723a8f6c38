// Measurements and verdicts as Markdown tables.

import {
  type Measured,
  median,
  type Row,
  ratioOf,
  referenceOf,
  type Sample,
  valuesOf,
} from "./sample.js";
import { MISSED_PAGE } from "./targets.js";
import { formatRatio, shortNumber, type Verdict } from "./verdict.js";

/** "81 ms", "1.2 s", "250 µs", "96 MiB". */
export function formatValue(value: number, unit: Row["unit"]): string {
  if (unit === "MiB") return `${shortNumber(value)} MiB`;
  if (value >= 1) return `${shortNumber(value)} s`;
  return value >= 0.001 ? `${shortNumber(value * 1e3)} ms` : `${shortNumber(value * 1e6)} µs`;
}

function cell(samples: readonly Sample[], row: Row, subject: string): string {
  const values = valuesOf(samples, row.key, subject);
  if (values.length === 0) return "-";
  const own = formatValue(median(values), row.unit);
  const reference = referenceOf(samples, row.key);
  if (reference === undefined || reference === subject) return own;
  const ratio = ratioOf(samples, row.key, subject, reference);
  return ratio === undefined ? own : `${own} ${formatRatio(ratio)}`;
}

/** "walk: plain 12.3 ms, overlayfs 45.6 ms". */
export function formatProgress({ key, label, unit }: Row, samples: readonly Sample[]): string {
  const subjects = [...new Set(samples.filter(({ row }) => row === key).map((s) => s.subject))];
  const cells = subjects.map(
    (subject) => `${subject} ${formatValue(median(valuesOf(samples, key, subject)), unit)}`,
  );
  return `${label}: ${cells.join(", ")}`;
}

/** Medians; beside each its ratio to kernel overlayfs (else the best peer), and its spread. */
export function formatMeasured(measured: Measured): string {
  const { rows, samples } = measured;
  const groups = [
    rows.filter(({ key }) => !key.startsWith("commit/")),
    rows.filter(({ key }) => key.startsWith("commit/")),
  ];
  return groups
    .map((group) => {
      const keys = new Set(group.map(({ key }) => key));
      const own = samples.filter(({ row }) => keys.has(row));
      const subjects = [...new Set(own.map(({ subject }) => subject))].sort(inOrder(measured));
      const shown = group.filter(({ key }) => own.some(({ row }) => row === key));
      if (shown.length === 0) return "";
      const lines = shown.map((row) => [
        row.label,
        ...subjects.map((subject) => cell(own, row, subject)),
      ]);
      return formatTable(["median, ratio (spread)", ...subjects], lines);
    })
    .filter((table) => table !== "")
    .join("\n");
}

/** As the subjects were measured first. */
function inOrder({ samples }: Measured): (a: string, b: string) => number {
  const first = [...new Set(samples.map(({ subject }) => subject))];
  return (a, b) => first.indexOf(a) - first.indexOf(b);
}

export function formatVerdicts(verdicts: readonly Verdict[]): string {
  return formatTable(
    ["workload", "to reach", "strata", "verdict"],
    verdicts.map((verdict) => [
      verdict.label,
      verdict.target,
      verdict.measured,
      verdict.met ? "met" : missed(verdict),
    ]),
  );
}

function missed({ why }: Verdict): string {
  return why === undefined ? "MISSED" : `MISSED: [why](${MISSED_PAGE}#${why})`;
}

function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return `${[line(head), rule, ...rows.map(line)].join("\n")}\n`;
}
