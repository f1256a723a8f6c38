// What a row of the table is: a question about a merged tree, with its answer in a few words. Rows
// lie beside this file by subject. They work on anything that mounts layers, ours or not.

import { execFileSync, spawnSync } from "node:child_process";
import { isFsError } from "../../src/errors.js";
import type { Place } from "../conformance/place.js";

/** Where a row may put what it asks about: its own folder in each of three lower layers. */
export interface Lowers {
  readonly base: Place;
  readonly middle: Place;
  readonly top: Place;
}

/** What a row asks in. */
export interface Asked {
  /** The row's folder in the mounted tree. */
  readonly mounted: Place;
  /** The row's folder in the base layer: for looking whether it is still as it was. */
  readonly base: Place;
  /** The folder with everything that the mount may write: upper and work directory. */
  readonly storage: string;
  /** What this row wants to know again after the remount. */
  readonly notes: Map<string, string>;
}

/** The question whether a union shows what one directory would show. */
export interface Row {
  readonly name: string;
  /** What a plain directory answers, or would if it had layers. */
  readonly right: string;
  /** The right answer inside a user namespace; absent when the kernel refuses the question there. */
  readonly rightInNamespace?: string;
  /** A plain directory can't answer it: it is about layers. */
  readonly layered?: true;
  prepare(lowers: Lowers): void;
  ask(asked: Asked): string;
  /** Asked again after unmounting and mounting; the answer counts when it is another one. */
  askAgain?(asked: Asked): string;
}

/** The errno's name where the action fails with one, else its answer. */
export function orErrno(action: () => string): string {
  try {
    return action();
  } catch (error) {
    if (!isFsError(error)) throw error;
    return error.code;
  }
}

/** The names of the checks that do not hold, or "ok". */
export function faults(checks: Readonly<Record<string, () => boolean>>): string {
  const failed = Object.entries(checks).flatMap(([name, holds]) => {
    const answer = orErrno(() => (holds() ? "" : "wrong"));
    return answer === "" ? [] : [`${name}: ${answer}`];
  });
  return failed.length === 0 ? "ok" : failed.join(", ");
}

export function yesNo(condition: boolean): "yes" | "no" {
  return condition ? "yes" : "no";
}

/** Bytes on the disk in a folder, what is not written yet included. */
export function diskBytes(folder: string): number {
  const printed = execFileSync("du", ["--summarize", "--block-size=1", folder], {
    encoding: "utf8",
  });
  return Number.parseInt(printed, 10);
}

const PYTHON_TIMEOUT_MS = 20_000;

/** What a Python program prints in the directory of a place: for what node lacks, as mmap. */
export function python(place: Place, source: string): string {
  const child = spawnSync("/usr/bin/python3", ["-c", source], {
    cwd: place.at(""),
    encoding: "utf8",
    timeout: PYTHON_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  if (child.error !== undefined) throw child.error;
  return child.status === 0 ? child.stdout.trim() : `fails: ${child.stderr.trim().slice(-60)}`;
}
