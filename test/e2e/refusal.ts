// A refused command: its exit status and its one line are exact, the store is as it was, and nothing
// beside the store was touched.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { type Outcome, run } from "./run-program.js";
import { expectSound, keptInStore } from "./sound-store.js";
import type { Workplace } from "./workplace.js";

/** Statuses of the command, by what a user can do about the failure (src/cli/exit-status.ts). */
export const exitStatus = { refused: 1, fileSystem: 2, dataLoss: 3, unsupported: 6 } as const;

/** One line, with words, without a stack. */
export function expectOneLine({ stdout, stderr }: Outcome, message: RegExp, what: string): void {
  equal(stdout, "", what);
  match(stderr, /^Error: [^\n]+\n$/, what);
  match(stderr, message, what);
  equal(/\n\s+at |node:internal|\.js:\d+/.test(stderr), false, `${what}: ${stderr}`);
}

export interface Refusal {
  readonly what: string;
  readonly args: readonly string[];
  readonly status: number;
  readonly message: RegExp;
}

/** What lies beside the store: every name with its size and time. */
async function outside(place: Workplace): Promise<string> {
  const skipStore = ["-path", place.store, "-prune", "-o"];
  return await run("find", [place.path, ...skipStore, "-printf", "%p %y %s %T@ %l\n"]);
}

/** Runs commands that must all be refused; after each the store is sound, in the end as before. */
export async function expectRefused(place: Workplace, refusals: readonly Refusal[]): Promise<void> {
  const kept = await keptInStore(place);
  for (const { what, args, status, message } of refusals) {
    const before = await outside(place);
    const outcome = await place.tryStrata(args);
    expectOneLine(outcome, message, what);
    equal(outcome.status, status, `${what}: ${outcome.stderr}`);
    equal(await outside(place), before, what);
    await expectSound(place);
    deepStrictEqual(await keptInStore(place), kept, what);
  }
}
