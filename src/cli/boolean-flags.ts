// Go's way to give a flag a truth: `--no-trunc=false`, `-H=0`. Commander has flags without a value
// only, so such words are turned into those before it sees them.

import type { Command, Option } from "commander";
import { EngineError } from "../errors.js";

const TRUE = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE = ["0", "f", "F", "false", "FALSE", "False"];

/** The words of a command line without values of flags. Throws EngineError INVALID_ARGUMENT for a value that is no truth. */
export function plainFlags(program: Command, words: readonly string[]): string[] {
  const plain: string[] = [];
  let command = program;
  let isValue = false;
  for (const [n, word] of words.entries()) {
    if (isValue) {
      plain.push(word);
      isValue = false;
      continue;
    }
    if (word === "--") return [...plain, ...words.slice(n)];
    isValue = optionOf(command, word)?.required === true;
    if (!word.startsWith("-")) {
      const inner = command.commands.find((each) => matches(each, word));
      // What stands behind the first operand of "run" belongs to the program that is run.
      if (inner === undefined && passesThrough(command)) return [...plain, ...words.slice(n)];
      command = inner ?? command;
      plain.push(word);
      // Not the program's short option: commands have a -v that means something else.
    } else if (word === "-v" && command === program) plain.push("--version");
    else plain.push(...flagOf(command, word));
  }
  return plain;
}

function matches(command: Command, word: string): boolean {
  return command.name() === word || command.aliases().includes(word);
}

function passesThrough(command: Command): boolean {
  return "_passThroughOptions" in command && command._passThroughOptions === true;
}

function flagOf(command: Command, word: string): string[] {
  const [, name = "", value = ""] = /^(--?[^=]+)=(.*)$/s.exec(word) ?? [];
  const option = optionOf(command, name);
  if (option === undefined || !(option.isBoolean() || option.negate)) return [word];
  if (TRUE.includes(value)) return [name];
  if (!FALSE.includes(value)) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      `invalid argument "${value}" for "${option.flags}" flag: it is neither true nor false`,
    );
  }
  const opposite = optionOf(command, `--no-${option.name()}`);
  return opposite === undefined || option.negate ? [] : [`--no-${option.name()}`];
}

function optionOf(command: Command, name: string): Option | undefined {
  for (let each: Command | null = command; each !== null; each = each.parent) {
    const found = each.options.find(({ short, long }) => short === name || long === name);
    if (found !== undefined) return found;
  }
  return undefined;
}
