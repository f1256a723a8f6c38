// What a case is, and how it says what must hold. Cases themselves lie beside this file by subject.

import { deepStrictEqual } from "node:assert/strict";
import { errnoName, isFsError } from "../../src/errors.js";
import { Place } from "./place.js";

/** A case needs this program; where it is missing the case is skipped by name. */
export type Need = "python3" | "perl";

/** One claim about a directory that holds the fixture; `run` throws where the claim is false. */
export interface Case {
  readonly name: string;
  readonly needs?: Need;
  /** More than the usual fixture: "many" adds a directory of some hundred files. */
  readonly extra?: "many";
  run(directory: string): void;
}

/** A case on a Place, whose descriptors are closed at the end. */
export function define(
  name: string,
  act: (place: Place) => void,
  options: Pick<Case, "needs" | "extra"> = {},
): Case {
  function run(directory: string): void {
    const place = new Place(directory);
    try {
      act(place);
    } finally {
      place.closeAll();
    }
  }
  return { name, ...options, run };
}

/** Deep equality; both sides in the message. */
export function same(actual: unknown, expected: unknown, what?: string): void {
  deepStrictEqual(actual, expected, what);
}

/** The action fails with one of these errnos. */
export function fails(action: () => unknown, ...numbers: readonly number[]): void {
  const names = numbers.map(errnoName).join(" or ");
  try {
    action();
  } catch (error) {
    if (isFsError(error, ...numbers)) return;
    throw new Error(`expected ${names}, got ${error instanceof Error ? error.message : error}`);
  }
  throw new Error(`expected ${names}, but it went well`);
}
