// Where the programs lie that strata starts as processes and threads of its own.

/** Below dist/src/. scripts/bundle.js makes one file in dist/run/ of each, and of what it imports. */
export const PROGRAMS = {
  strata: "cli/main.js",
  "strata-overlay": "cli/overlay/main.js",
  library: "index.js",
  "mount-process": "fuse/mount/mount-process.js",
  monitor: "engine/container/monitor-process.js",
  "session-thread": "fuse/mount/session-thread.js",
  "unpack-thread": "store/unpack-thread.js",
  "slow-requests-thread": "fuse/session/slow-requests-thread.js",
} as const;

export type ProgramName = keyof typeof PROGRAMS;

/** A program as users run it. This module lies in dist/src/ or is part of a file in dist/run/. */
export function programFile(name: ProgramName): URL {
  return new URL(`../run/${name}.js`, import.meta.url);
}

/** The package's package.json. */
export function manifestFile(): URL {
  return new URL("../../package.json", import.meta.url);
}
