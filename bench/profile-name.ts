// The variable that tells a mount process where its session's CPU profile goes.

export const PROFILE_VARIABLE = "STRATA_BENCH_PROFILE";
