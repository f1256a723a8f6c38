// Whether strata reached what it is to reach.

import {
  type Measured,
  median,
  type Ratio,
  type Row,
  ratioOf,
  ratioOfCells,
  referenceOf,
  type Sample,
  valuesOf,
} from "./sample.js";
import type { Target } from "./targets.js";

/** How long a program of ours that does nothing takes; measured beside the mounts. */
export const EMPTY_PROCESS_ROW = "empty-process";

export interface Verdict {
  readonly row: string;
  readonly label: string;
  /** "<= 0.6 x fuse-overlayfs-2". */
  readonly target: string;
  /** "0.43 (0.40-0.45)". */
  readonly measured: string;
  readonly met: boolean;
  /** As the target's. */
  readonly why: string | undefined;
}

/** Only of what was measured on both sides. */
export function verdictsOf(measured: Measured, targets: readonly Target[]): readonly Verdict[] {
  return measured.rows.flatMap((row) =>
    targets
      .filter(({ rows }) => rows.test(row.key))
      .flatMap((target) => verdictOf(measured.samples, row, target) ?? []),
  );
}

function verdictOf(samples: readonly Sample[], row: Row, target: Target): Verdict | undefined {
  switch (target.kind) {
    case "ratio": {
      const other = subjectMeant(samples, row.key, target.to);
      if (other === undefined) return undefined;
      const ratio = ratioOf(samples, row.key, "strata", other);
      return ratio && ratioVerdict(row, ratio, target, other);
    }
    case "flat": {
      const [own, other] = [row.key, target.toRow].map((key) => ({ row: key, subject: "strata" }));
      if (own === undefined || other === undefined) return undefined;
      const ratio = ratioOfCells(samples, own, other);
      return ratio && ratioVerdict(row, ratio, target, `strata in ${target.toRow}`);
    }
    case "seconds": {
      const own = median(valuesOf(samples, row.key, "strata"));
      const empty = median(valuesOf(samples, EMPTY_PROCESS_ROW, "strata"));
      const seconds = own - empty;
      if (Number.isNaN(seconds)) return undefined;
      return {
        row: row.key,
        label: row.label,
        target: `<= ${target.atMost} s after the process is up`,
        measured: `${seconds.toFixed(3)} s`,
        met: seconds <= target.atMost,
        why: target.why,
      };
    }
  }
}

function ratioVerdict(row: Row, ratio: Ratio, { atMost, why }: Target, other: string): Verdict {
  const limit = atMost < 0.05 ? `1/${Math.round(1 / atMost)}` : String(atMost);
  return {
    row: row.key,
    label: row.label,
    target: `<= ${limit} x ${other}`,
    measured: formatRatio(ratio),
    met: ratio.medians <= atMost,
    why,
  };
}

function subjectMeant(
  samples: readonly Sample[],
  row: string,
  to: Extract<Target, { kind: "ratio" }>["to"],
): string | undefined {
  const there = (subject: string): boolean => valuesOf(samples, row, subject).length > 0;
  switch (to) {
    case "fuse-overlayfs":
      return ["fuse-overlayfs-2", "fuse-overlayfs"].find(there);
    case "fastest peer":
      return referenceOf(samples, row);
    case "overlayfs":
    case "overlayfs-metacopy":
      return there(to) ? to : undefined;
  }
}

/** "1.05 (0.98-1.10)", or "1.05" of a single round. */
export function formatRatio({ medians, least, largest }: Ratio): string {
  if (least === largest) return shortNumber(medians);
  return `${shortNumber(medians)} (${shortNumber(least)}-${shortNumber(largest)})`;
}

/** Three digits that count, at most. */
export function shortNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}
