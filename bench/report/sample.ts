// What measuring gives, and the few numbers that are made of it.

/** A line of the table. */
export interface Row {
  /** Stable over sizes, unlike the label: what --only and targets speak of. */
  readonly key: string;
  readonly label: string;
  readonly unit: "s" | "MiB";
}

/** One measured value. */
export interface Sample {
  readonly row: string;
  readonly subject: string;
  readonly round: number;
  readonly value: number;
}

/** Why there is no value of a subject in a row. */
export interface Gap {
  readonly row: string;
  readonly subject: string;
  readonly reason: string;
}

export interface Measured {
  readonly rows: readonly Row[];
  readonly samples: readonly Sample[];
  readonly gaps: readonly Gap[];
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** A ratio of medians, and the least and largest ratio of single rounds. */
export interface Ratio {
  readonly medians: number;
  readonly least: number;
  readonly largest: number;
}

export function valuesOf(samples: readonly Sample[], row: string, subject: string): number[] {
  return samples
    .filter((sample) => sample.row === row && sample.subject === subject)
    .map(({ value }) => value);
}

/** undefined where one of the two was not measured. */
export function ratioOf(
  samples: readonly Sample[],
  row: string,
  subject: string,
  reference: string,
): Ratio | undefined {
  return ratioOfCells(samples, { row, subject }, { row, subject: reference });
}

/** As ratioOf, of two cells that may be in different rows. */
export function ratioOfCells(
  samples: readonly Sample[],
  cell: { readonly row: string; readonly subject: string },
  reference: { readonly row: string; readonly subject: string },
): Ratio | undefined {
  const pick = (from: typeof cell): readonly Sample[] =>
    samples.filter(({ row, subject }) => row === from.row && subject === from.subject);
  const [own, other] = [pick(cell), pick(reference)];
  const inRounds = own.flatMap(({ round, value }) => {
    const match = other.find((sample) => sample.round === round);
    return match === undefined ? [] : [value / match.value];
  });
  if (inRounds.length === 0) return undefined;
  const middle = (list: readonly Sample[]): number => median(list.map(({ value }) => value));
  return {
    medians: middle(own) / middle(other),
    least: Math.min(...inRounds),
    largest: Math.max(...inRounds),
  };
}

/** Who a row's ratios refer to: kernel overlayfs, or else the best that isn't strata. */
export function referenceOf(samples: readonly Sample[], row: string): string | undefined {
  const subjects = [...new Set(samples.filter((s) => s.row === row).map((s) => s.subject))];
  if (subjects.includes("overlayfs")) return "overlayfs";
  const middle = (subject: string): number => median(valuesOf(samples, row, subject));
  const [best] = subjects
    .filter((subject) => !subject.startsWith("strata") && subject !== "plain")
    .sort((a, b) => middle(a) - middle(b));
  return best;
}
