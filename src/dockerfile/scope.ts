// Which variables an instruction sees: global arguments for FROM; in a stage what ARG and ENV have
// set so far, and what the base brought along.
// https://docs.docker.com/reference/dockerfile/#scope, #predefined-args

import { formatPlatform, type Platform } from "../oci/index.js";
import { expandWord, type Lookup } from "./expand-word.js";
import { placed } from "./fault.js";
import type { ArgInstruction, Dockerfile } from "./instruction.js";

/** `--build-arg`, by name. */
export type BuildArgs = ReadonlyMap<string, string>;

/** Arguments that RUN has without any ARG; they are in neither history nor cache. */
const PROXY_NAMES = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];
const proxies: ReadonlySet<string> = new Set(
  PROXY_NAMES.flatMap((name) => [name, name.toLowerCase()]),
);

/** What docker says of the platforms, for FROM, and for stages that ask by ARG. */
export function platformArgs(build: Platform, target: Platform): Map<string, string> {
  const of = (prefix: string, platform: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ""],
  ];
  return new Map([...of("BUILD", build), ...of("TARGET", target)]);
}

/** The values before the first FROM. Throws EngineError INVALID_ARGUMENT with its place. */
export function globalScope(
  dockerfile: Dockerfile,
  predefined: ReadonlyMap<string, string>,
  buildArgs: BuildArgs,
): ReadonlyMap<string, string> {
  const values = new Map(predefined);
  const lookup: Lookup = (name) => values.get(name);
  for (const name of predefined.keys()) {
    const given = buildArgs.get(name);
    if (given !== undefined) values.set(name, given);
  }
  for (const instruction of dockerfile.globalArgs) {
    for (const { name, value } of instruction.args) {
      const given = buildArgs.get(name);
      const own =
        given ??
        (value === undefined
          ? undefined
          : placed(instruction.place, () =>
              expandWord(value, { lookup, escape: dockerfile.directives.escape }),
            ));
      if (own !== undefined) values.set(name, own);
    }
  }
  return values;
}

/** The variables of a stage while it is built. */
export class StageScope {
  readonly #variables: Map<string, string>;
  /** Names of ARG in order, for history and cache. */
  readonly #args: Set<string>;
  /** ARGs that no value was given for. */
  readonly lookup: Lookup = (name) => this.#variables.get(name);

  /** `env` is the base image's, `NAME=value`. */
  constructor(env: readonly string[], base?: StageScope) {
    this.#variables = new Map(base === undefined ? [] : base.#variables);
    this.#args = new Set(base === undefined ? [] : base.#args);
    for (const line of env) {
      const equals = line.indexOf("=");
      const [name, value] =
        equals < 0 ? [line, ""] : [line.slice(0, equals), line.slice(equals + 1)];
      if (base === undefined || !this.#variables.has(name)) this.#variables.set(name, value);
    }
  }

  setEnv(name: string, value: string): void {
    this.#variables.set(name, value);
  }

  /** Declares arguments; returns them with their values, for the history. */
  declare(
    instruction: ArgInstruction,
    buildArgs: BuildArgs,
    globals: ReadonlyMap<string, string>,
    escapeSign: string,
  ): { readonly name: string; readonly value: string | undefined }[] {
    return instruction.args.map(({ name, value: written }) => {
      const given = buildArgs.get(name);
      const value =
        given ??
        (written === undefined
          ? globals.get(name)
          : placed(instruction.place, () =>
              expandWord(written, { lookup: this.lookup, escape: escapeSign }),
            ));
      if (value !== undefined) this.#variables.set(name, value);
      this.#args.add(name);
      return { name, value };
    });
  }

  /** The declared arguments with their present values, in order: docker's `|2 A=1 B=2`. */
  argLines(): string[] {
    return [...this.#args].map((name) => `${name}=${this.#variables.get(name) ?? ""}`);
  }

  /** What a RUN's process has: `NAME=value`. Proxies that were given come along unasked. */
  environment(buildArgs: BuildArgs): string[] {
    const all = new Map(this.#variables);
    for (const [name, value] of buildArgs)
      if (proxies.has(name) && !all.has(name)) all.set(name, value);
    return [...all].map(([name, value]) => `${name}=${value}`);
  }
}

/** `--build-arg`s that nothing declares, for docker's warning; proxies need no ARG. */
export function unusedBuildArgs(dockerfile: Dockerfile, buildArgs: BuildArgs): string[] {
  const declared = new Set(
    [...dockerfile.globalArgs, ...dockerfile.stages.flatMap(({ instructions }) => instructions)]
      .filter((instruction): instruction is ArgInstruction => instruction.name === "ARG")
      .flatMap(({ args }) => args.map(({ name }) => name)),
  );
  return [...buildArgs.keys()].filter(
    (name) => !declared.has(name) && !proxies.has(name) && name !== "SOURCE_DATE_EPOCH",
  );
}
