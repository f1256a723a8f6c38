// What there is to measure, by name; and what a command line asks for that there is not.

import { EngineError } from "../src/errors.js";
import { allChanges } from "./commits/changes.js";
import { allCommitters } from "./commits/committer.js";
import type { Options } from "./options.js";
import type { Row } from "./report/sample.js";
import type { Sizes } from "./sizes.js";
import { allSubjects } from "./subjects/all-subjects.js";
import { allWorkloads } from "./workloads/all-workloads.js";

const DRIVERS: readonly string[] = ["dev-fuse", "fuse-native"];

function allRows(sizes: Sizes): readonly Row[] {
  const rows = allWorkloads(sizes).flatMap(({ steps }) => steps.map(({ row }) => row));
  return [...rows, ...allChanges(sizes).map(({ row }) => row)];
}

/** Rows and subjects, one a line; of what is missing here, why. */
export function listContents(sizes: Sizes): string {
  const named = ({ name, missing }: { name: string; missing?: string | undefined }): string =>
    missing === undefined ? name : `${name}: ${missing}`;
  const lines = [
    ...allSubjects().map((subject) => `subject ${named(subject)}`),
    ...allCommitters().map((committer) => `subject of commits ${named(committer)}`),
    ...allRows(sizes).map(({ key, label }) => `row ${key}: ${label}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** Throws EngineError INVALID_ARGUMENT for a name that nothing here has. */
export function requireKnown({ sizes, only, subjects, driver }: Options): void {
  const keys = allRows(sizes).map(({ key }) => key);
  for (const word of only) {
    if (!keys.some((key) => key.includes(word) || `=${key}` === word)) {
      throw unknown("--only", word, "no row's key has it (--list names them)");
    }
  }
  const names: readonly string[] = [...allSubjects(), ...allCommitters()].map(({ name }) => name);
  for (const name of subjects) {
    if (!names.includes(name)) throw unknown("--subjects", name, "no subject (--list names them)");
  }
  if (driver !== undefined && !DRIVERS.includes(driver)) {
    throw unknown("--driver", driver, `it is ${DRIVERS.join(" or ")}`);
  }
}

function unknown(option: string, value: string, state: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `Cannot use "${option} ${value}": ${state}`);
}
