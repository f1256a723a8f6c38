// What a Dockerfile says, as types. Text is as written until expand.ts has put the values in.

import type { Pair } from "./arguments.js";
import type { Directives } from "./directives.js";
import type { Place } from "./fault.js";
import type { Heredoc } from "./heredoc.js";

/** What every instruction has. */
interface Placed {
  readonly place: Place;
  /** The whole instruction in one line, for people; here-documents are left out. */
  readonly source: string;
}

/** A command: through the stage's shell, or as it stands. */
export type CommandLine =
  | { readonly form: "shell"; readonly text: string; readonly heredocs: readonly Heredoc[] }
  | { readonly form: "exec"; readonly words: readonly string[] };

export interface FromInstruction extends Placed {
  readonly name: "FROM";
  /** An image, a stage's name, or "scratch". */
  readonly image: string;
  /** Lower case. */
  readonly as: string | undefined;
  readonly platform: string | undefined;
}

export interface RunInstruction extends Placed {
  readonly name: "RUN";
  readonly command: CommandLine;
  /** The texts of --mount: run-mount.ts reads them once they are expanded. */
  readonly mounts: readonly string[];
  readonly network: "default" | "none" | "host";
}

export interface CopyInstruction extends Placed {
  readonly name: "COPY" | "ADD";
  readonly sources: readonly string[];
  /** Files that stand in the Dockerfile. */
  readonly heredocs: readonly Heredoc[];
  readonly destination: string;
  /** A stage's name or number, or an image. */
  readonly from: string | undefined;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  readonly checksum: string | undefined;
  /** --keep-git-dir. */
  readonly keepGit: boolean;
  /** ADD's --unpack; undefined leaves it to what the source is. */
  readonly unpack: boolean | undefined;
}

export interface CommandInstruction extends Placed {
  readonly name: "CMD" | "ENTRYPOINT";
  readonly command: CommandLine;
}

export interface PairsInstruction extends Placed {
  readonly name: "ENV" | "LABEL";
  readonly pairs: readonly Pair[];
}

export interface ArgInstruction extends Placed {
  readonly name: "ARG";
  readonly args: readonly { readonly name: string; readonly value: string | undefined }[];
}

export interface ListInstruction extends Placed {
  readonly name: "EXPOSE" | "VOLUME" | "SHELL";
  readonly words: readonly string[];
}

export interface TextInstruction extends Placed {
  readonly name: "USER" | "WORKDIR" | "STOPSIGNAL" | "MAINTAINER";
  readonly text: string;
}

/** docker's Healthcheck: durations in nanoseconds, absent ones undefined. */
export interface Healthcheck {
  readonly test: readonly string[];
  readonly intervalNs: number | undefined;
  readonly timeoutNs: number | undefined;
  readonly startPeriodNs: number | undefined;
  readonly startIntervalNs: number | undefined;
  readonly retries: number | undefined;
}

export interface HealthcheckInstruction extends Placed {
  readonly name: "HEALTHCHECK";
  readonly healthcheck: Healthcheck;
}

export interface OnBuildInstruction extends Placed {
  readonly name: "ONBUILD";
  /** The instruction for later, as text: with its here-documents. */
  readonly trigger: string;
}

/** An instruction of a stage. */
export type StageInstruction =
  | RunInstruction
  | CopyInstruction
  | CommandInstruction
  | PairsInstruction
  | ArgInstruction
  | ListInstruction
  | TextInstruction
  | HealthcheckInstruction
  | OnBuildInstruction;

export type Instruction = FromInstruction | StageInstruction;

/** A stage: what it begins with, and what is done to that. */
export interface Stage {
  readonly from: FromInstruction;
  readonly instructions: readonly StageInstruction[];
}

/** A whole file. */
export interface Dockerfile {
  /** As the user knows it. */
  readonly file: string;
  readonly directives: Directives;
  /** ARG before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
  /** One line each. */
  readonly warnings: readonly string[];
}
