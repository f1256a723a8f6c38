// The arguments behind an instruction's word in their several forms: flags before them, JSON lists,
// words with quotes, name=value pairs. Quotes and variables stay as written: expand-word.ts has them.

import { SyntaxFault } from "./fault.js";

/** An instruction taken apart. */
export interface CommandParts {
  /** As written; instructions are known by its upper case. */
  readonly word: string;
  /** `--name=value`, quotes taken off. */
  readonly flags: readonly string[];
  readonly rest: string;
}

const SPACE = /\s/;

/** Splits a logical line into its word, its flags and the rest. */
export function splitCommand(text: string): CommandParts {
  const [, word = "", after = ""] = /^(\S*)\s*(.*)$/s.exec(text.trim()) ?? [];
  const { flags, rest } = splitFlags(after);
  return { word, flags, rest: rest.trim() };
}

/** The words that begin with -- before the first that does not; `--` ends them. */
function splitFlags(text: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && SPACE.test(text.charAt(at))) at += 1;
    if (!text.startsWith("--", at)) return { flags, rest: text.slice(at) };
    const { word, end } = flagAt(text, at);
    at = end;
    if (word === "--") return { flags, rest: text.slice(at) };
    flags.push(word);
  }
}

function flagAt(text: string, start: number): { word: string; end: number } {
  let word = "";
  let quote = "";
  let at = start;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote === "" && SPACE.test(character)) break;
    if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (quote !== "" && character === quote) quote = "";
    else if (character === "\\") {
      at += 1;
      word += text.charAt(at);
    } else word += character;
  }
  return { word, end: at };
}

/**
 * The strings of a JSON list; undefined when the text is none, which then is docker's other form.
 * Throws SyntaxFault for a list of other things than strings.
 */
export function parseJsonForm(text: string): string[] | undefined {
  if (!text.trimStart().startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!Array.isArray(value)) return undefined;
  if (value.every((item): item is string => typeof item === "string")) return value;
  throw new SyntaxFault("when using JSON array syntax, arrays must be comprised of strings only");
}

/** Words parted by blanks; quotes mean nothing here: a name with blanks needs the JSON form. */
export function blankSeparated(text: string): string[] {
  return text === "" ? [] : text.split(/\s+/);
}

/** Words parted by blanks outside quotes; quotes and escapes are kept. */
export function quotedWords(text: string, escapeSign: string): string[] {
  const words: string[] = [];
  let word = "";
  let started = false;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote === "" && SPACE.test(character)) {
      if (started) words.push(word);
      word = "";
      started = false;
      continue;
    }
    started = true;
    if (character === escapeSign && quote !== "'") {
      at += 1;
      // An escape at the very end says nothing.
      if (at < text.length) word += character + text.charAt(at);
      continue;
    }
    if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (character === quote) quote = "";
    word += character;
  }
  if (started && word !== "") words.push(word);
  return words;
}

/** A name and its value, as written. */
export type Pair = readonly [name: string, value: string];

/** `a=1 b="2 3"`, or the old form `a 1 and the rest` for one name. Throws SyntaxFault. */
export function namesAndValues(text: string, escapeSign: string, instruction: string): Pair[] {
  const words = quotedWords(text, escapeSign);
  const [first] = words;
  if (first === undefined) {
    throw new SyntaxFault(`${instruction} requires at least one argument`);
  }
  if (!first.includes("=")) {
    const [, name = "", value] = /^(\S+)\s+(.+)$/s.exec(text) ?? [];
    if (value === undefined) throw new SyntaxFault(`${instruction} must have two arguments`);
    return [[name, value]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) {
      throw new SyntaxFault(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    }
    if (equals === 0) throw new SyntaxFault(`${instruction} names can not be blank`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}
