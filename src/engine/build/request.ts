// What a build is asked, what it tells while it goes on, and what it gives.

import type { Readable, Writable } from "node:stream";
import type { Digest } from "../../digest.js";
import type { Reference } from "../../oci/index.js";
import type { ConnectionOptions } from "../../registry/index.js";

/** A secret for RUN --mount=type=secret: a file's content, or a variable's value. */
export interface BuildSecret {
  readonly id: string;
  readonly source: { readonly file: string } | { readonly env: string };
}

/** Where the result goes instead of into the store. */
export interface BuildOutput {
  /** "tar": the files; "local": the files, in a directory; "oci", "docker": an image archive. */
  readonly type: "tar" | "local" | "oci" | "docker";
  /** A path; a stream for archives only. */
  readonly destination: string | Writable;
}

export interface BuildRequest {
  /** A directory, a URL of an archive, Dockerfile or git repository, or a stream of an archive or Dockerfile. */
  readonly context: string | Readable;
  /** A path, from the working directory; or a stream. The context's "Dockerfile" unless given. */
  readonly dockerfile?: string | Readable;
  readonly tags?: readonly string[];
  /** undefined: the value that this process's environment has. */
  readonly buildArgs?: Readonly<Record<string, string | undefined>>;
  /** Stage to end with: name or number. */
  readonly target?: string;
  readonly noCache?: boolean;
  /** Ask the registries for newer base images. */
  readonly pull?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** "linux/arm64"; this machine's unless given. */
  readonly platform?: string;
  /** Of RUN steps that say nothing themselves. */
  readonly network?: "default" | "none" | "host";
  /** One layer instead of all those that were built. */
  readonly squash?: boolean;
  readonly secrets?: readonly BuildSecret[];
  readonly output?: BuildOutput;
  /** A RUN that failed: a shell reads this, with its files, before they go. */
  readonly debugShell?: { readonly stdin: Readable };
  readonly connection?: ConnectionOptions;
  /** Ends the build and everything that it has started. */
  readonly signal?: AbortSignal;
  readonly onEvent?: OnBuild;
}

/** Something that happened. `step` counts from 1 in the order in which steps begin. */
export type BuildEvent =
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "begin"; readonly step: number; readonly title: string }
  | { readonly kind: "output"; readonly step: number; readonly bytes: Uint8Array }
  /** Of --debug-shell: while it is open it has this process's streams for itself. */
  | { readonly kind: "shell"; readonly step: number; readonly is: "open" | "closed" }
  | {
      readonly kind: "end";
      readonly step: number;
      readonly how: "done" | "cached" | "failed";
      readonly durationMs: number;
      /** What there is to say of it, in a word or two. */
      readonly detail?: string;
    };

/** Must be cheap and must not throw. */
export type OnBuild = (event: BuildEvent) => void;

export interface BuildResult {
  /** The image ID; undefined when the output went elsewhere as files. */
  readonly id: Digest;
  /** Of the manifest. */
  readonly digest: Digest;
  readonly references: readonly Reference[];
  readonly steps: number;
  readonly cachedSteps: number;
}
