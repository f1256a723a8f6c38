// A run that goes on where an earlier one ended: what has a value is not measured again. A row's subjects are
// always measured together, so its ratios are still those of one run.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../../src/errors.js";
import type { Machine } from "./machine.js";
import type { Run } from "./results.js";
import type { Measured, Row } from "./sample.js";

/** The run in `folder`; undefined where there is none. Throws SyntaxError where its file is not ours. */
export function readRun(folder: string): Run | undefined {
  const path = join(folder, "latest.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Run) : undefined;
}

/** Throws where the two can't stand in one table. */
export function requireSame(earlier: Run, sizes: string, machine: Machine): void {
  const stateOf = (size: string, { processor, kernel, node }: Machine): string =>
    `${size} size, ${processor}, Linux ${kernel}, Node ${node}`;
  const [then, now] = [stateOf(earlier.sizes, earlier.machine), stateOf(sizes, machine)];
  if (then === now) return;
  const message = `Cannot continue the run of "${then}": this is "${now}"`;
  throw new EngineError("INVALID_ARGUMENT", message);
}

/** Keys of the rows that have a value. */
export function measuredRows({ samples }: Measured): ReadonlySet<string> {
  return new Set(samples.map(({ row }) => row));
}

/** Both, rows in the order of `keys`, and those that it lacks at the end. */
export function joined(earlier: Measured, later: Measured, keys: readonly string[]): Measured {
  const done = measuredRows(earlier);
  const kept = <T extends { readonly row: string }>(list: readonly T[]): T[] =>
    list.filter(({ row }) => done.has(row));
  const rows = new Map<string, Row>();
  for (const row of earlier.rows) if (done.has(row.key)) rows.set(row.key, row);
  for (const row of later.rows) if (!rows.has(row.key)) rows.set(row.key, row);
  const place = ({ key }: Row): number => (keys.includes(key) ? keys.indexOf(key) : keys.length);
  const fresh = <T extends { readonly row: string }>(list: readonly T[]): T[] =>
    list.filter(({ row }) => !done.has(row));
  return {
    rows: [...rows.values()].sort((a, b) => place(a) - place(b)),
    samples: [...kept(earlier.samples), ...fresh(later.samples)],
    gaps: [...kept(earlier.gaps), ...fresh(later.gaps)],
  };
}
