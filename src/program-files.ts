// Where the programs lie that strata starts as processes and threads of its own.

/**
 * Their modules below dist/src/. scripts/bundle.js makes one file in dist/run/ of each, and of what it imports, compiled.
 * They start without flags of V8: with any, Node.js compiles its own modules anew, 30 to 40 ms of a processor.
 */
export const PROGRAMS = {
  strata: "cli/main.js",
  "strata-first": "cli/first.js",
  "strata-overlay": "cli/overlay/main.js",
  "mount-process": "fuse/mount/mount-process.js",
  monitor: "engine/container/monitor-process.js",
  "session-thread": "fuse/mount/session-thread.js",
  "unpack-thread": "store/unpack-thread.js",
  "slow-requests-thread": "fuse/session/slow-requests-thread.js",
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

/**
 * The environment of a process that never speaks with a registry: Node.js reads these certificates, all of them, at
 * each start.
 */
export function environmentWithoutCertificates(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...rest } = process.env;
  return rest;
}
