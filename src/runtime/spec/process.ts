// What runs in a container: docker's rules for Entrypoint and Cmd, the environment, and the directory
// it starts in.
// https://docs.docker.com/reference/dockerfile/#understand-how-cmd-and-entrypoint-interact

import { posix } from "node:path";
import { EngineError } from "../../errors.js";
import type { RunConfig } from "../../oci/index.js";

/** Of ContainerConfig, what these rules need. */
export interface ProcessRequest {
  readonly entrypoint?: readonly string[];
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory?: string;
}

/** Where programs are looked up when the image does not say. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Entrypoint and Cmd that a container has: its own words over the image's. */
export interface ContainerWords {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

/**
 * The image's Cmd belongs to the image's Entrypoint: it is dropped where the user gave either. An
 * empty entrypoint (`--entrypoint ""`) removes the image's.
 */
export function containerWords(request: ProcessRequest, image: RunConfig): ContainerWords {
  const { entrypoint, command } = request;
  const imageCommand = entrypoint === undefined ? (image.cmd ?? []) : [];
  return {
    entrypoint: (entrypoint ?? image.entrypoint ?? []).filter(
      (word, _, all) => word !== "" || all.length > 1,
    ),
    command: command.length > 0 ? command : imageCommand,
  };
}

/** The program and its arguments. Throws EngineError INVALID_ARGUMENT when there is none. */
export function processArguments(request: ProcessRequest, image: RunConfig): readonly string[] {
  const { entrypoint, command } = containerWords(request, image);
  const words = [...entrypoint, ...command];
  if (words.length > 0) return words;
  throw new EngineError("INVALID_ARGUMENT", "no command specified");
}

/** What is known beside the user's and the image's words. */
export interface EnvironmentFacts {
  readonly hostname: string;
  readonly terminal: boolean;
}

/**
 * The environment: docker's own names, then the user's, then what only the image has. "NAME" without
 * "=" removes a name.
 */
export function processEnvironment(
  request: ProcessRequest,
  image: RunConfig,
  facts: EnvironmentFacts,
): readonly string[] {
  const own = [
    `PATH=${DEFAULT_PATH}`,
    `HOSTNAME=${facts.hostname}`,
    ...(facts.terminal ? ["TERM=xterm"] : []),
  ];
  return replaceVariables(own, containerEnvironment(request, image));
}

/** Config.Env of the container: the user's first, then the image's that the user did not name. */
export function containerEnvironment(
  request: Pick<ProcessRequest, "environment">,
  image: RunConfig,
): readonly string[] {
  const named = new Set(request.environment.map(variableName));
  return [
    ...request.environment,
    ...image.env.filter((variable) => !named.has(variableName(variable))),
  ];
}

/** `changes` over `base`: a name keeps its place in the list and takes the last value. */
export function replaceVariables(
  base: readonly string[],
  changes: readonly string[],
): readonly string[] {
  const variables = new Map(base.map((variable) => [variableName(variable), variable]));
  for (const change of changes) {
    const name = variableName(change);
    if (change.includes("=")) variables.set(name, change);
    else variables.delete(name);
  }
  return [...variables.values()];
}

function variableName(variable: string): string {
  const equals = variable.indexOf("=");
  return equals < 0 ? variable : variable.slice(0, equals);
}

/** Where the process starts. Throws EngineError INVALID_ARGUMENT for a relative path. */
export function workingDirectory(request: ProcessRequest, image: RunConfig): string {
  const path = request.workingDirectory ?? image.workingDir;
  if (path === "") return "/";
  if (posix.isAbsolute(path)) return posix.resolve(path);
  throw new EngineError(
    "INVALID_ARGUMENT",
    `the working directory '${path}' is invalid, it needs to be an absolute path`,
  );
}
