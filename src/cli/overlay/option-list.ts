// The text after -o: splitting it into options, and their values into lists. What the options mean
// is mount-options.ts.
// Source: fuse-overlayfs(1), mount(8) "-o", and fs/overlayfs/params.c of the kernel for escapes.

import { EngineError } from "../../errors.js";

/** One option as it was written: escapes are still in its value, which is undefined without "=". */
export interface WrittenOption {
  readonly name: string;
  readonly value: string | undefined;
}

/**
 * The options of one -o. A comma separates them unless a backslash stands before it or it is in
 * double quotes (SELinux contexts have commas). Empty ones say nothing: `a,,b` and `a,` are right.
 */
export function splitOptions(text: string): WrittenOption[] {
  const parts = splitUnescaped(text, ",", true).map((part) => part.trim());
  return parts.filter(Boolean).map(written);
}

function written(part: string): WrittenOption {
  const equals = part.indexOf("=");
  if (equals < 0) return { name: part, value: undefined };
  return { name: part.slice(0, equals), value: part.slice(equals + 1) };
}

/** The parts of a list of paths, `a:b\:c`, without their escapes; empty parts are left out. */
export function splitPaths(value: string): string[] {
  return splitUnescaped(value, ":", false).map(unescaped).filter(Boolean);
}

/** The text without its backslashes: each makes the character after it an ordinary one. */
export function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, "$1");
}

/** A value without the quotes around it. */
export function unquoted(text: string): string {
  const whole = text.length >= 2 && text.startsWith('"') && text.endsWith('"');
  return whole ? text.slice(1, -1) : text;
}

function splitUnescaped(text: string, separator: string, quotes: boolean): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === "\\") index += 1;
    else if (quotes && character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  if (quoted) {
    throw new EngineError("INVALID_ARGUMENT", `Cannot read options "${text}": a quote is open`);
  }
  return [...parts, text.slice(start)];
}
