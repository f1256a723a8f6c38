// Random choices that a seed repeats, for programs that run apart from the test that prints it.

export interface Random {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  /** undefined when there is nothing to choose from. */
  oneOf<T>(choices: readonly T[]): T | undefined;
}

/** Mulberry32, by Tommy Ettinger: 32 bits of state are enough for tests. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
  return { below, oneOf: (choices) => choices[below(choices.length)] };
}

/** A seed for this run, or the one in $STRATA_TEST_SEED; print it. */
export function freshSeed(): number {
  const given = process.env["STRATA_TEST_SEED"];
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}
