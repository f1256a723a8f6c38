// The patterns of `${name#pattern}`: `*` is any text, `?` one character, `\` takes the next literally.
// https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_06_02

import { SyntaxFault } from "./fault.js";

interface PatternPart {
  readonly kind: "any" | "one" | "literal";
  readonly text: string;
}

/** Throws SyntaxFault for a `\` that escapes nothing. */
function partsOf(pattern: string): PatternPart[] {
  const parts: PatternPart[] = [];
  const characters = [...pattern];
  for (let n = 0; n < characters.length; n++) {
    const character = characters[n] ?? "";
    if (character === "*") parts.push({ kind: "any", text: "" });
    else if (character === "?") parts.push({ kind: "one", text: "" });
    else if (character !== "\\") parts.push({ kind: "literal", text: character });
    else {
      n += 1;
      const escaped = characters[n] ?? "";
      // `}` and `/` are escaped for the sake of ${} only.
      if (escaped === "" || !"*?\\}/".includes(escaped)) {
        throw new SyntaxFault(
          `invalid pattern (${pattern}) in substitution: invalid escape '\\${escaped}'`,
        );
      }
      parts.push({ kind: "literal", text: escaped });
    }
  }
  return parts;
}

function sourceOf(parts: readonly PatternPart[], greedy: boolean): string {
  return parts
    .map(({ kind, text }) => {
      if (kind === "any") return greedy ? "[^]*" : "[^]*?";
      if (kind === "one") return "[^]";
      return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
    })
    .join("");
}

/** `${value#pattern}`, or `##` when greedy. */
export function trimPrefix(value: string, pattern: string, greedy: boolean): string {
  return value.replace(new RegExp(`^${sourceOf(partsOf(pattern), greedy)}`, "u"), "");
}

/** `${value%pattern}`, or `%%` when greedy. */
export function trimSuffix(value: string, pattern: string, greedy: boolean): string {
  // From the end: the shortest match at the end is the shortest at the start of the mirrored text.
  const mirrored = new RegExp(`^${sourceOf(partsOf(pattern).reverse(), greedy)}`, "u");
  return mirror(mirror(value).replace(mirrored, ""));
}

/** `${value/pattern/replacement}`, or `//` for all of them. */
export function replacePattern(
  value: string,
  pattern: string,
  replacement: string,
  all: boolean,
): string {
  const form = new RegExp(sourceOf(partsOf(pattern), true), all ? "gu" : "u");
  return value.replace(form, () => replacement);
}

function mirror(text: string): string {
  return [...text].reverse().join("");
}
