// Where the programs lie that strata starts as processes and threads of its own.

/**
 * Flags of Node.js for strata-overlay; bin/strata-overlay gives the same. Between two full collections the heap may
 * grow by 30%; what V8 permits is several times as much.
 */
export const OVERLAY_FLAGS = ["--heap-growing-percent=30"] as const;
/**
 * All that is made for a new inode lives on: copying it while the young heap is small is in vain. It takes 25 ms
 * more to start with a large one, which is too much for strata-overlay.
 */
export const MOUNT_FLAGS = ["--min-semi-space-size=16", ...OVERLAY_FLAGS] as const;
/** There is a monitor for each container: memory counts more than speed. */
export const MONITOR_FLAGS = ["--max-semi-space-size=1", "--single-threaded-gc"] as const;
const NO_FLAGS = [] as const;

/**
 * Their modules below dist/src/, and the flags of the processes that they run in. scripts/bundle.js makes one file
 * in dist/run/ of each, and of what it imports, compiled for each set of flags.
 */
export const PROGRAMS = {
  strata: { path: "cli/main.js", flags: [NO_FLAGS] },
  "strata-overlay": { path: "cli/overlay/main.js", flags: [NO_FLAGS, OVERLAY_FLAGS] },
  "mount-process": { path: "fuse/mount/mount-process.js", flags: [MOUNT_FLAGS] },
  monitor: { path: "engine/container/monitor-process.js", flags: [MONITOR_FLAGS] },
  "session-thread": {
    path: "fuse/mount/session-thread.js",
    flags: [OVERLAY_FLAGS, MOUNT_FLAGS],
  },
  "unpack-thread": { path: "store/unpack-thread.js", flags: [NO_FLAGS] },
  "slow-requests-thread": {
    path: "fuse/session/slow-requests-thread.js",
    flags: [OVERLAY_FLAGS, MOUNT_FLAGS],
  },
} as const;

/** The module that Node programs import, below dist/src/; bundled as dist/run/library.mjs. */
export const LIBRARY = "index.js";

export type ProgramName = keyof typeof PROGRAMS;

/** A program as users run it. This module lies in dist/src/ or is part of a file in dist/run/. */
export function programFile(name: ProgramName): URL {
  return new URL(`../run/${name}.js`, import.meta.url);
}

/** The package's package.json. */
export function manifestFile(): URL {
  return new URL("../../package.json", import.meta.url);
}
