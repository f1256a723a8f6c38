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

/** Those with a row whose key contains one of the words, or is "=word"'s; all when there are none. */
export function chosenWorkloads(sizes: Sizes, only: readonly string[]): readonly Workload[] {
  const wanted = ({ steps }: Workload): boolean => steps.some(({ row }) => isChosen(row.key, only));
  return allWorkloads(sizes).filter(wanted);
}

export function isChosen(key: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((word) => key.includes(word) || `=${key}` === word);
}
