// The time that a new image says it was made at, and the latest that its new files may have.
// https://reproducible-builds.org/specs/source-date-epoch/

import { EngineError } from "../errors.js";

/** Now, or $SOURCE_DATE_EPOCH so that the same input gives the same image. Throws as latestSeconds. */
export function presentTime(): Date {
  const seconds = latestSeconds();
  return seconds === undefined ? new Date() : new Date(seconds * 1000);
}

/**
 * $SOURCE_DATE_EPOCH: no time in a new layer is after it. undefined when it is not set. Throws
 * EngineError INVALID_ARGUMENT when it is no number of seconds.
 */
export function latestSeconds(): number | undefined {
  const epoch = process.env["SOURCE_DATE_EPOCH"];
  if (epoch === undefined || epoch === "") return undefined;
  const seconds = Number(epoch);
  if (/^\d+$/.test(epoch) && !Number.isNaN(new Date(seconds * 1000).getTime())) return seconds;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot use SOURCE_DATE_EPOCH "${epoch}": it is not a number of seconds`,
  );
}
