// All workloads, those of one fixture side by side, so that each fixture is made once.

import type { Sizes } from "../sizes.js";
import { firstChanges } from "./first-change.js";
import { mounts } from "./mounts.js";
import { programsAtWork } from "./programs-at-work.js";
import { transfers } from "./transfer.js";
import { treeWork } from "./trees.js";
import type { Workload } from "./workload.js";

export function allWorkloads(sizes: Sizes): readonly Workload[] {
  return [
    ...firstChanges(sizes),
    ...transfers(sizes),
    ...treeWork(sizes),
    ...programsAtWork(sizes),
    ...mounts(sizes),
  ];
}

/** Which rows are to be measured. */
export interface Choice {
  /** Those whose key contains one of the words, or is "=word"'s; all when there are none. */
  readonly only: readonly string[];
  /** But for these keys. */
  readonly done: ReadonlySet<string>;
}

/** Those with a row that is chosen. */
export function chosenWorkloads(sizes: Sizes, choice: Choice): readonly Workload[] {
  const wanted = ({ steps }: Workload): boolean =>
    steps.some(({ row }) => isChosen(row.key, choice));
  return allWorkloads(sizes).filter(wanted);
}

export function isChosen(key: string, { only, done }: Choice): boolean {
  const isNamed = only.some((word) => key.includes(word) || `=${key}` === word);
  return !done.has(key) && (only.length === 0 || isNamed);
}
