// Instructions that change the image's config and no files, with docker's lines of history.

import { posix } from "node:path";
import {
  type ArgInstruction,
  type BuildArgs,
  type CommandInstruction,
  type HealthcheckInstruction,
  type ListInstruction,
  type OnBuildInstruction,
  type PairsInstruction,
  SyntaxFault,
  type TextInstruction,
} from "../../dockerfile/index.js";
import { EngineError } from "../../errors.js";
import { changedEnv, checkedSignal, healthcheckJson, portsOf } from "../../image/index.js";
import { isJsonObject } from "../../oci/index.js";
import type { StageState } from "./stage-state.js";

export type ConfigInstruction =
  | ArgInstruction
  | CommandInstruction
  | HealthcheckInstruction
  | ListInstruction
  | OnBuildInstruction
  | PairsInstruction
  | TextInstruction;

/** What declaring an argument needs to know. */
export interface ArgSources {
  readonly buildArgs: BuildArgs;
  readonly globals: ReadonlyMap<string, string>;
  readonly escape: string;
}

/**
 * Carries out an instruction whose variables are replaced already. WORKDIR's directory is not made
 * here. Throws SyntaxFault for a value that cannot be.
 */
export function applyConfigStep(
  state: StageState,
  instruction: ConfigInstruction,
  sources: ArgSources,
): void {
  switch (instruction.name) {
    case "ARG":
      declareArgs(state, instruction, sources);
      break;
    case "CMD":
    case "ENTRYPOINT":
      setCommand(state, instruction);
      break;
    case "ENV":
      setEnv(state, instruction.pairs);
      break;
    case "LABEL":
      setLabels(state, instruction.pairs);
      break;
    case "EXPOSE":
      exposePorts(state, instruction.words);
      break;
    case "VOLUME":
      addKeys(state, "Volumes", instruction.words);
      state.note(`VOLUME [${instruction.words.join(" ")}]`);
      break;
    case "SHELL":
      state.config["Shell"] = [...instruction.words];
      state.note(`SHELL [${instruction.words.join(" ")}]`);
      break;
    case "HEALTHCHECK":
      state.config["Healthcheck"] = healthcheckJson(instruction.healthcheck);
      state.note(instruction.source);
      break;
    case "ONBUILD":
      state.config["OnBuild"] = [...state.strings("OnBuild"), instruction.trigger];
      state.note(`ONBUILD ${instruction.trigger}`);
      break;
    case "MAINTAINER":
      state.author = instruction.text;
      state.note(`MAINTAINER ${instruction.text}`);
      break;
    case "USER":
      state.config["User"] = instruction.text;
      state.note(`USER ${instruction.text}`);
      break;
    case "STOPSIGNAL":
      setStopSignal(state, instruction.text);
      break;
    case "WORKDIR":
      state.config["WorkingDir"] = workingDirectory(state, instruction.text);
      break;
  }
}

/** Where a relative path begins; docker takes an empty one for the root. */
export function workingDirectory(state: StageState, path: string): string {
  return posix.resolve("/", state.text("WorkingDir"), path);
}

function declareArgs(state: StageState, instruction: ArgInstruction, sources: ArgSources): void {
  const { buildArgs, globals, escape: sign } = sources;
  const declared = state.scope.declare(instruction, buildArgs, globals, sign);
  const words = declared.map(({ name, value }) =>
    value === undefined ? name : `${name}=${value}`,
  );
  state.note(`ARG ${words.join(" ")}`);
}

function setCommand(state: StageState, { name, command }: CommandInstruction): void {
  const words = command.form === "exec" ? [...command.words] : [...state.shell, command.text];
  if (name === "CMD") {
    state.config["Cmd"] = words;
    state.hasOwnCmd = true;
  } else {
    state.config["Entrypoint"] = words;
    // An image's CMD is meant for its own ENTRYPOINT.
    if (!state.hasOwnCmd) delete state.config["Cmd"];
  }
  state.note(`${name} [${words.map((word) => JSON.stringify(word)).join(" ")}]`);
}

function setEnv(state: StageState, pairs: PairsInstruction["pairs"]): void {
  for (const [name, value] of pairs) state.scope.setEnv(name, value);
  state.config["Env"] = changedEnv(state.strings("Env"), pairs);
  state.note(`ENV ${pairs.map(([name, value]) => `${name}=${value}`).join(" ")}`);
}

function setLabels(state: StageState, pairs: PairsInstruction["pairs"]): void {
  const labels = state.config["Labels"];
  state.config["Labels"] = {
    ...(isJsonObject(labels) ? labels : {}),
    ...Object.fromEntries(pairs),
  };
  state.note(`LABEL ${pairs.map(([name, value]) => `${name}=${value}`).join(" ")}`);
}

function addKeys(
  state: StageState,
  field: "ExposedPorts" | "Volumes",
  keys: readonly string[],
): void {
  const before = state.config[field];
  state.config[field] = {
    ...(isJsonObject(before) ? before : {}),
    ...Object.fromEntries(keys.map((key) => [key, {}])),
  };
}

function exposePorts(state: StageState, words: readonly string[]): void {
  const ports = checked(() => words.flatMap(portsOf));
  addKeys(state, "ExposedPorts", ports);
  state.note(`EXPOSE [${ports.join(" ")}]`);
}

function setStopSignal(state: StageState, text: string): void {
  const signal = checked(() => checkedSignal(text));
  state.config["StopSignal"] = signal;
  state.note(`STOPSIGNAL ${signal}`);
}

/** What image/ refuses is a fault of the line. */
function checked<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof EngineError) throw new SyntaxFault(error.message);
    throw error;
  }
}
