// How docker refuses the value of an option.

import { EngineError } from "../../errors.js";

/**
 * `invalid argument "12x" for "-m, --memory" flag: invalid size: '12x'`. `option` is as docker's help
 * shows it: "-m, --memory".
 */
export function invalidArgument(value: string, option: string, state: string): EngineError {
  return new EngineError(
    "INVALID_ARGUMENT",
    `invalid argument ${JSON.stringify(value)} for ${JSON.stringify(option)} flag: ${state}`,
  );
}

/** A request that is understood and refused, in docker's words. */
export function refused(message: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", message);
}
