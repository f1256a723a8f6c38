// The line that a user sees of an error.

import { getSystemErrorMap } from "node:util";
import { FsError } from "../errors.js";

/** One line for people; the whole stack, with causes, when debugging. */
export function messageOf(error: unknown, debug: boolean): string {
  if (debug && error instanceof Error) return `Error: ${error.stack ?? error.message}`;
  return `Error: ${sentenceOf(error)}`;
}

/** What went wrong, the system's errors in words. */
export function sentenceOf(error: unknown): string {
  if (error instanceof FsError) {
    const { operation, path, code } = error;
    const state = getSystemErrorMap().get(-error.errno)?.[1] ?? code;
    return `Cannot ${operation} "${path}": ${state}`;
  }
  return error instanceof Error ? error.message : String(error);
}
