// Programmer errors only: what fails here is a bug in strata, never bad input.
// Input is refused with an FsError or an EngineError (errors.ts).

/** A broken invariant of the program itself. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws AssertionError unless `condition` holds; narrows types like node:assert's. */
export function assert(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new AssertionError(`Broken invariant: ${claim}`);
}

/** For the default of an exhaustive switch: compiles only when every case is handled. */
export function unreachable(value: never): never {
  throw new AssertionError(`Broken invariant: unexpected value ${String(value)}`);
}
