// The one table from errors to exit statuses.

import { CommanderError } from "commander";
import { EngineError, type EngineErrorCode, FsError } from "../errors.js";

const statuses: Readonly<Record<EngineErrorCode, number>> = {
  NOT_FOUND: 1,
  ALREADY_EXISTS: 1,
  INVALID_ARGUMENT: 1,
  IN_USE: 1,
  DATA_LOSS: 3,
  UNAVAILABLE: 4,
  UNAUTHORIZED: 5,
  UNSUPPORTED: 6,
};

/** For wrong usage, as docker's own CLI: "125" is its daemon's, "1" a command's. */
const FILE_SYSTEM_STATUS = 2;
const BUG_STATUS = 70;

export function exitStatusOf(error: unknown): number {
  if (error instanceof EngineError) return statuses[error.code];
  if (error instanceof FsError) return FILE_SYSTEM_STATUS;
  if (error instanceof CommanderError) return error.exitCode;
  return error instanceof Error && "syscall" in error ? FILE_SYSTEM_STATUS : BUG_STATUS;
}
