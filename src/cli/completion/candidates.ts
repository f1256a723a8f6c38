// What may stand at the place that is being typed: from the command tree itself, so that a command
// or option that is added is completed at once. Names of images and containers are the caller's.

import type { Argument, Command, Option } from "commander";

/** One candidate; the description is for shells that show one. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What is wanted at a place, besides `words`. */
export interface Candidates {
  readonly words: readonly Candidate[];
  /** Names of files and directories, too. */
  readonly files: boolean;
  readonly names: "images" | "containers" | "volumes" | "both" | "container-paths" | "none";
}

const NOTHING: Candidates = { words: [], files: false, names: "none" };
const FILES: Candidates = { ...NOTHING, files: true };

/** `typed`: the words after the program's name; the last one is being typed, and may be empty. */
export function candidatesFor(program: Command, typed: readonly string[]): Candidates {
  const current = typed.at(-1) ?? "";
  let command = program;
  let operands = 0;
  let awaited: Option | undefined;
  let optionsEnd = false;
  for (const word of typed.slice(0, -1)) {
    if (awaited !== undefined) awaited = undefined;
    else if (optionsEnd || !word.startsWith("-") || word === "-") {
      const inner = operands === 0 ? commandOf(command, word) : undefined;
      if (inner === undefined) operands += 1;
      command = inner ?? command;
      // What stands behind the first operand of "run" belongs to the program that is run.
      if (operands > 0 && "_passThroughOptions" in command && command._passThroughOptions === true)
        optionsEnd = true;
    } else if (word === "--") optionsEnd = true;
    else if (!word.includes("=")) awaited = valueOption(command, word);
  }
  if (awaited !== undefined) return valuesOf(awaited, "");
  if (!optionsEnd && current.startsWith("-")) return optionsOf(command, current);
  return operandsOf(command, operands);
}

function commandOf(command: Command, word: string): Command | undefined {
  return command.commands.find((each) => each.name() === word || each.aliases().includes(word));
}

/** The option of a word, if a value must follow it. */
function valueOption(command: Command, word: string): Option | undefined {
  const found = command.options.find(({ short, long }) => short === word || long === word);
  return found?.required === true ? found : undefined;
}

/** `prefix` is what stands before the value: "--option=" or nothing. */
function valuesOf(option: Option, prefix: string): Candidates {
  if (option.argChoices !== undefined) {
    const words = option.argChoices.map((value) => ({ value: prefix + value, description: "" }));
    return { ...NOTHING, words };
  }
  return /<(file|dir|path|directory)/.test(option.flags) ? FILES : NOTHING;
}

function optionsOf(command: Command, current: string): Candidates {
  const equals = current.indexOf("=");
  if (equals > 0) {
    const option = valueOption(command, current.slice(0, equals));
    return option === undefined ? NOTHING : valuesOf(option, current.slice(0, equals + 1));
  }
  const known = command.options.filter(({ hidden }) => !hidden);
  const help = { value: "--help", description: "display help for command" };
  const words = known.flatMap(({ short, long, description }) =>
    [long, current.startsWith("--") ? undefined : short]
      .filter((value) => value !== undefined)
      .map((value) => ({ value, description })),
  );
  return { ...NOTHING, words: [...words, help] };
}

function operandsOf(command: Command, operands: number): Candidates {
  const subcommands = operands > 0 ? [] : visibleCommands(command);
  const words = subcommands.map((each) => ({
    value: each.name(),
    description: each.description(),
  }));
  const argument = argumentAt(command, operands);
  const meant = argument === undefined ? NOTHING : meaningOf(argument, command);
  return { ...meant, words: [...words, ...meant.words] };
}

/** The commands that help shows. */
export function visibleCommands(command: Command): Command[] {
  const help = command.createHelp();
  return help.visibleCommands(command).filter((each) => each.name() !== "help");
}

function argumentAt(command: Command, position: number): Argument | undefined {
  const known = command.registeredArguments;
  const last = known.at(-1);
  return known[position] ?? (last?.variadic === true ? last : undefined);
}

/** By the name that the argument has in the usage line. */
function meaningOf(argument: Argument, command: Command): Candidates {
  if (argument.argChoices !== undefined) {
    const words = argument.argChoices.map((value) => ({ value, description: "" }));
    return { ...NOTHING, words };
  }
  // With --from-dir the only operand is the directory to mount on.
  if (command.name() === "mount")
    return { ...FILES, names: argument.name() === "dir" ? "none" : "both" };
  if (command.name() === "cp") return { ...FILES, names: "container-paths" };
  switch (argument.name()) {
    case "image":
    case "reference":
    case "repository":
      return { ...NOTHING, names: "images" };
    case "container":
      return { ...NOTHING, names: "containers" };
    case "volume":
      return { ...NOTHING, names: command.name() === "create" ? "none" : "volumes" };
    case "container-or-image":
    case "target":
      return { ...NOTHING, names: argument.name() === "target" ? "containers" : "both" };
    case "name":
      return { ...NOTHING, names: command.name() === "push" ? "images" : "both" };
    case "file":
    case "dir":
    case "context":
      return FILES;
    default:
      return NOTHING;
  }
}
