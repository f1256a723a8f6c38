// What can be done and timed in a merged tree, as plain objects that are sent to an agent process.

import type { MountJob } from "../src/fuse/index.js";

/** Paths are relative to the merged tree. $OUTSIDE in a command is the fixture's folder beside it. */
export type Operation =
  /** The command's time, with that of the shell. */
  | { readonly kind: "shell"; readonly command: string }
  /** The time that fio itself says the transfer took. */
  | { readonly kind: "fio"; readonly options: readonly string[] }
  /** Opens a file, writes one byte in its middle, closes it. */
  | { readonly kind: "first-write"; readonly path: string }
  | { readonly kind: "chmod"; readonly path: string; readonly mode: number }
  | { readonly kind: "create-unlink"; readonly directory: string; readonly count: number }
  /** What an npm installation leaves: packages of small files, links to programs. */
  | { readonly kind: "node-modules"; readonly directory: string; readonly packages: number };

export type Request =
  | {
      readonly kind: "mount-strata";
      readonly job: MountJob;
      /** Where the session's CPU profile goes. */
      readonly profile?: string | undefined;
    }
  | { readonly kind: "unmount-strata"; readonly target: string }
  | {
      readonly kind: "command";
      readonly command: string;
      readonly options: readonly string[];
      readonly folder: string;
    }
  | {
      readonly kind: "run";
      readonly operation: Operation;
      readonly root: string;
      readonly outside: string;
    };

export type Reply =
  | { readonly kind: "done"; readonly seconds: number }
  | { readonly kind: "failed"; readonly message: string };
