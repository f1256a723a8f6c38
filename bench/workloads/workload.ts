// What is done on a fresh mount, and which rows of the table it gives.

import type { Fixture } from "../fixtures/fixture.js";
import type { Operation } from "../operation.js";
import type { Row } from "../report/sample.js";
import type { SubjectName } from "../subjects/subject.js";

/** One measured step, and its row. */
export interface Step {
  readonly row: Row;
  /** "mount": how long mounting took. "memory": what the mount process holds now. */
  readonly measure: Operation | "mount" | "memory";
}

export interface Workload {
  readonly fixture: Fixture;
  /** Caches are dropped before the mount is made, so the first step is a cold one. */
  readonly cold: boolean;
  /** Done before the first step and not measured. */
  readonly prepare?: readonly Operation[];
  readonly steps: readonly Step[];
  /** The work can't be done again in the plain directory as it leaves it. */
  readonly spoils?: boolean;
  /** For work that takes minutes. */
  readonly maxRounds?: number;
  /** Why nobody can do it here. */
  readonly missing?: string | undefined;
  /** Who can't do it, and why. */
  readonly without?: Partial<Record<SubjectName, string>>;
}

export function secondsRow(key: string, label: string): Row {
  return { key, label, unit: "s" };
}
