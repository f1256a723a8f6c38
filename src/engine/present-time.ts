// The time that a new image says it was made at.

import { EngineError } from "../errors.js";

/** Now, or $SOURCE_DATE_EPOCH so that the same input gives the same image. Throws EngineError INVALID_ARGUMENT when SOURCE_DATE_EPOCH is no number of seconds (reproducible-builds.org). */
export function presentTime(): Date {
  const epoch = process.env["SOURCE_DATE_EPOCH"];
  if (epoch === undefined || epoch === "") return new Date();
  const time = new Date(Number(epoch) * 1000);
  if (/^\d+$/.test(epoch) && !Number.isNaN(time.getTime())) return time;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot use SOURCE_DATE_EPOCH "${epoch}": it is not a number of seconds`,
  );
}
