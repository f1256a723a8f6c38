// A diff whose files are no later than a given time: what SOURCE_DATE_EPOCH asks of a commit, so that
// the same changes made at another moment are the same layer.

import { clampedTime } from "../tar/clamp-times.js";
import type { DiffEntry } from "./diff.js";

/** The same entries; files from after `latestSec` (seconds since 1970) have exactly that time. */
export function* clampDiff(entries: Iterable<DiffEntry>, latestSec: number): Generator<DiffEntry> {
  for (const entry of entries) {
    if (entry.kind !== "entry") yield entry;
    else yield { ...entry, stat: { ...entry.stat, ...clampedTime(entry.stat, latestSec) } };
  }
}
