// Errors of node:fs, told apart by their code and turned into FsErrors, so that callers see one family
// of errors.

import { FsError } from "./errors.js";

/** True for an error of node:fs (or an FsError) with one of these codes ("ENOENT"). */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    codes.includes(error.code)
  );
}

/** The FsError of an error of node:fs; other errors as they are. */
export function asFsError(error: unknown, operation: string, path: string): unknown {
  if (error instanceof FsError || !(error instanceof Error) || !("errno" in error)) return error;
  const { errno } = error;
  return typeof errno === "number" ? new FsError(Math.abs(errno), operation, path) : error;
}
