// The words of one instruction of `commit --change`, by the Dockerfile's rules for quotes, escapes,
// key=value pairs and JSON lists. Variables are not replaced: nothing is built here.

import { EngineError } from "../errors.js";

/** A refusal of one instruction. */
export function refuseChange(instruction: string, state: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `Cannot apply "${instruction}": ${state}`);
}

/** The strings of a JSON list (`["a", "b"]`); undefined when the text is none. */
export function jsonList(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value = JSON.parse(text) as unknown;
    if (!Array.isArray(value)) return undefined;
    return value.every((item) => typeof item === "string") ? (value as string[]) : undefined;
  } catch (error) {
    // docker takes what is no JSON for a shell command.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Words separated by blanks; '…' keeps all, "…" keeps blanks, \ keeps the next character. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let n = 0; n < text.length; n++) {
    const character = text.charAt(n);
    if (quote === "" && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (quote === "" && (character === '"' || character === "'")) {
      quote = character;
      word ??= "";
    } else if (character === quote) {
      quote = "";
    } else if (character === "\\" && quote !== "'" && n + 1 < text.length) {
      n += 1;
      const next = text.charAt(n);
      // Within "…" only \" and \\ are escapes, as in a shell.
      word = `${word ?? ""}${quote === '"' && !'"\\$'.includes(next) ? "\\" : ""}${next}`;
    } else {
      word = `${word ?? ""}${character}`;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** `a=1 b="2 3"`, or the old form `a 1 and the rest` for one key. */
export function keyValues(instruction: string, text: string): [key: string, value: string][] {
  const old = /^([^\s=]+)\s+(.+)$/s.exec(text);
  if (old?.[1] !== undefined && old[2] !== undefined && !/^[^\s]*=/.test(text)) {
    return [[old[1], old[2]]];
  }
  return splitWords(text).map((word) => {
    const equals = word.indexOf("=");
    if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)];
    throw refuseChange(instruction, `"${word}" is not a key=value pair`);
  });
}

/** Go's durations ("1m30s", "500ms") in nanoseconds. */
export function durationNs(instruction: string, text: string): number {
  const units: Readonly<Record<string, number>> = {
    ...{ ns: 1, us: 1e3, µs: 1e3, ms: 1e6 },
    ...{ s: 1e9, m: 60e9, h: 3600e9 },
  };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (text === "" || parts.map(([all]) => all).join("") !== text) {
    throw refuseChange(instruction, `"${text}" is not a duration`);
  }
  return parts.reduce((sum, [, n, unit]) => sum + Number(n) * (units[unit ?? "ns"] ?? 1), 0);
}
