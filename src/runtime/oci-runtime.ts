// Driving an OCI runtime: one method a command, each a process of the runtime's own that ends soon.
// The commands and flags are those that runc and crun share. What the bundle holds is spec/'s matter.
// https://github.com/opencontainers/runtime-spec/blob/main/runtime.md

import { type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../errors.js";
import type { RuntimeProgram } from "./runtime-program.js";
import { loggedError, StartError } from "./start-error.js";

/** Standard input, output and error of a program, as descriptors of this process. */
export type StandardStreams = readonly [
  input: number | "ignore",
  output: number | "ignore",
  error: number | "ignore",
];

const NO_STREAMS: StandardStreams = ["ignore", "ignore", "ignore"];

/** Where the runtime leaves the process it made, and what that process gets. */
export interface ProcessPlaces {
  /** The runtime writes the process's pid there. */
  readonly pidFile: string;
  /**
   * A unix socket that is sent the terminal's master end, relative to `cwd`; without it `streams` are
   * used.
   */
  readonly consoleSocket?: string;
  /** The runtime's own working directory. */
  readonly cwd?: string;
  readonly streams?: StandardStreams;
}

/** What `state` tells (runtime.md, "State"). */
export interface RuntimeState {
  readonly status: "creating" | "created" | "running" | "paused" | "stopped";
  readonly pid: number;
}

/** Where a runtime keeps its state, and how it is called. */
export interface OciRuntimeOptions {
  /** `--root`: made when missing. Lives as long as the container. */
  readonly stateDirectory: string;
  /** Words before the program: how to get into the namespaces where the container is root's. */
  readonly enter?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

let calls = 0;

/** One runtime and one place for its state. Errors are EngineErrors with the runtime's own sentence. */
export class OciRuntime {
  readonly program: RuntimeProgram;
  readonly stateDirectory: string;
  readonly #enter: readonly string[];
  readonly #env: NodeJS.ProcessEnv;

  constructor(program: RuntimeProgram, options: OciRuntimeOptions) {
    this.program = program;
    this.stateDirectory = options.stateDirectory;
    this.#enter = options.enter ?? [];
    this.#env = options.env ?? process.env;
  }

  /** Makes the container's process, which waits for start(). Throws StartError. */
  async create(id: string, bundle: string, places: ProcessPlaces): Promise<void> {
    const words = ["create", "--bundle", bundle, ...placeWords(places), id];
    const failed = await this.call(words, places);
    if (failed !== undefined) throw new StartError(`container "${id.slice(0, 12)}"`, failed);
  }

  /** Lets the created process run its program. Throws StartError. */
  async start(id: string): Promise<void> {
    const failed = await this.call(["start", id]);
    if (failed !== undefined) throw new StartError(`container "${id.slice(0, 12)}"`, failed);
  }

  /**
   * Starts one more process in a running container; returns when its program runs. `processFile`
   * holds a "process" object of a config.json. Throws StartError.
   */
  async exec(id: string, processFile: string, places: ProcessPlaces): Promise<void> {
    const words = ["exec", "--detach", "--process", processFile, ...placeWords(places), id];
    const failed = await this.call(words, places);
    if (failed !== undefined) throw new StartError("the program", failed);
  }

  /** Sends a signal to the container's first process. Throws EngineError UNAVAILABLE. */
  async kill(id: string, signal: number): Promise<void> {
    await this.#must("kill", id, ["kill", id, String(signal)]);
  }

  /** Removes what the runtime keeps of a container; with `force` its processes are killed first. */
  async delete(id: string, options: { readonly force?: boolean } = {}): Promise<void> {
    await this.#must("delete", id, ["delete", ...(options.force === true ? ["--force"] : []), id]);
  }

  /** Freezes all processes of the container. Throws EngineError UNAVAILABLE. */
  async pause(id: string): Promise<void> {
    await this.#must("pause", id, ["pause", id]);
  }

  async resume(id: string): Promise<void> {
    await this.#must("resume", id, ["resume", id]);
  }

  /** undefined when the runtime knows no such container. */
  async state(id: string): Promise<RuntimeState | undefined> {
    const printed = await this.print(["state", id]);
    if (printed === undefined) return undefined;
    const { status, pid } = JSON.parse(printed) as RuntimeState;
    return { status, pid };
  }

  /** The pids of all processes of a container, as this process sees them. */
  async pids(id: string): Promise<number[]> {
    const printed = await this.print(["ps", "--format", "json", id]);
    return printed === undefined ? [] : ((JSON.parse(printed) as number[] | null) ?? []);
  }

  /** Runs a command of the runtime; what went wrong is returned as its sentence. */
  async call(
    words: readonly string[],
    options: { readonly cwd?: string; readonly streams?: StandardStreams } = {},
  ): Promise<string | undefined> {
    const [input, output, error] = options.streams ?? NO_STREAMS;
    const ended = await this.#run(words, { cwd: options.cwd, stdio: [input, output, error] });
    return ended.failure;
  }

  /** What a command of the runtime prints; undefined when it fails. */
  async print(words: readonly string[]): Promise<string | undefined> {
    const { failure, printed } = await this.#run(words, { stdio: ["ignore", "pipe", "ignore"] });
    return failure === undefined ? printed : undefined;
  }

  /** The command line for `words`, without a log. For callers that start the process themselves. */
  commandLine(words: readonly string[], logFile: string): [program: string, words: string[]] {
    mkdirSync(this.stateDirectory, { recursive: true, mode: 0o700 });
    const log = ["--log", logFile, "--log-format", "json"];
    const all = [...this.#enter, this.program.path, "--root", this.stateDirectory, ...log];
    const [program = "", ...rest] = all;
    return [program, [...rest, ...words]];
  }

  /** A new name for a log of one call. */
  freshLogFile(): string {
    return join(this.stateDirectory, `log.${process.pid}.${++calls}`);
  }

  async #must(verb: string, id: string, words: readonly string[]): Promise<void> {
    const failed = await this.call(words);
    if (failed === undefined) return;
    throw new EngineError(
      "UNAVAILABLE",
      `Cannot ${verb} container "${id.slice(0, 12)}": ${failed}`,
    );
  }

  async #run(
    words: readonly string[],
    options: Pick<SpawnOptions, "stdio"> & { readonly cwd?: string | undefined },
  ): Promise<{ failure: string | undefined; printed: string }> {
    const logFile = this.freshLogFile();
    const [program, all] = this.commandLine(words, logFile);
    try {
      const child = spawn(program, all, { ...options, env: this.#env });
      const chunks: Buffer[] = [];
      child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
      const status = await new Promise<number>((resolve, reject) => {
        child.once("error", reject);
        // Not "close": a container keeps what it inherited open.
        child.once(child.stdout === null ? "exit" : "close", (code) => resolve(code ?? 255));
      });
      const failure =
        status === 0 ? undefined : (loggedError(logFile) ?? `${words[0]} ended with ${status}`);
      return { failure, printed: Buffer.concat(chunks).toString("utf8") };
    } finally {
      rmSync(logFile, { force: true });
    }
  }
}

function placeWords({ pidFile, consoleSocket }: ProcessPlaces): string[] {
  const terminal = consoleSocket === undefined ? [] : ["--console-socket", consoleSocket];
  return ["--pid-file", pidFile, ...terminal];
}
