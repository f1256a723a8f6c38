// Commands that take several objects: one that fails does not stop the others, as in docker.

import { EngineError } from "../errors.js";
import { Slots } from "../slots.js";
import { exitStatusOf } from "./exit-status.js";
import { messageOf } from "./message.js";
import { note } from "./session.js";

export interface EachOptions {
  /** What does not exist is told, but is no failure of the command (docker's --force). */
  readonly forgiveMissing?: boolean;
}

/** docker's number. */
const MOST_AT_ONCE = 50;

/**
 * Begins the work for all objects at once, as docker does where it is waiting more than working. What is returned waits for
 * the work of one, so that they can be told of in their order.
 */
export function atOnce(
  names: readonly string[],
  work: (name: string) => Promise<unknown>,
): (name: string) => Promise<void> {
  const slots = new Slots(MOST_AT_ONCE);
  const begun = new Map([...new Set(names)].map((name) => [name, slots.run(() => work(name))]));
  // Who waits for it is told of its failure, when it is its turn.
  for (const one of begun.values()) one.catch(() => undefined);
  return async (name) => void (await begun.get(name));
}

/**
 * Does the work for each object in turn. Errors are printed at the end, a line each; the first one
 * decides the command's exit status.
 */
export async function forEachObject(
  names: readonly string[],
  work: (name: string) => Promise<void>,
  options: EachOptions = {},
): Promise<void> {
  const errors: unknown[] = [];
  for (const name of names) {
    try {
      await work(name);
    } catch (error) {
      errors.push(error);
    }
  }
  for (const error of errors) note(messageOf(error, process.argv.includes("--debug")));
  const isMissing = (error: unknown) => error instanceof EngineError && error.code === "NOT_FOUND";
  const [first] = errors;
  if (first === undefined || (options.forgiveMissing === true && errors.every(isMissing))) return;
  process.exitCode = exitStatusOf(first);
}
