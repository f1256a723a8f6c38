// Wildcards over paths by Go's rules (path/filepath, Match): `*` and `?` stop at a slash, `[a-z]`,
// `[^a]`, `\` takes the next literally; and docker's `**`, which is any number of directories.

import { SyntaxFault } from "./fault.js";

export interface GlobOptions {
  /** False: `**` is no more than `*`, as in COPY's sources without --parents. */
  readonly doubleStar: boolean;
}

/** True when a path has to be looked for: it is no plain name. */
export function hasWildcard(path: string): boolean {
  return /[*?[\\]/.test(path);
}

/** Matches whole paths without a leading slash. Throws SyntaxFault for a malformed pattern. */
export function globExpression(pattern: string, options: GlobOptions): RegExp {
  return new RegExp(`^${new Glob(pattern, options).source()}$`, "su");
}

class Glob {
  readonly #characters: readonly string[];
  readonly #pattern: string;
  readonly #doubleStar: boolean;
  #at = 0;

  constructor(pattern: string, { doubleStar }: GlobOptions) {
    this.#pattern = pattern;
    this.#characters = [...pattern];
    this.#doubleStar = doubleStar;
  }

  source(): string {
    let source = "";
    while (this.#at < this.#characters.length) source += this.#next();
    return source;
  }

  #take(): string {
    const character = this.#characters[this.#at];
    if (character === undefined) throw this.#malformed();
    this.#at += 1;
    return character;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #next(): string {
    const character = this.#take();
    switch (character) {
      case "*":
        return this.#star();
      case "?":
        return "[^/]";
      case "[":
        return this.#range();
      case "\\":
        return literal(this.#take());
      default:
        return literal(character);
    }
  }

  #star(): string {
    if (this.#peek() !== "*") return "[^/]*";
    while (this.#peek() === "*") this.#at += 1;
    if (!this.#doubleStar) return "[^/]*";
    if (this.#peek() === "/") this.#at += 1;
    return this.#peek() === undefined ? ".*" : "(?:.*/)?";
  }

  #range(): string {
    const negated = this.#peek() === "^";
    if (negated) this.#at += 1;
    let source = "";
    do {
      const low = this.#rangeEnd();
      if (this.#peek() === "-") {
        this.#at += 1;
        const high = this.#rangeEnd();
        if (high < low) throw this.#malformed();
        source += `${literal(low)}-${literal(high)}`;
      } else {
        source += literal(low);
      }
    } while (this.#peek() !== "]");
    this.#at += 1;
    return negated ? `[^/${source}]` : `(?!/)[${source}]`;
  }

  #rangeEnd(): string {
    const character = this.#take();
    if (character === "-" || character === "]") throw this.#malformed();
    return character === "\\" ? this.#take() : character;
  }

  #malformed(): SyntaxFault {
    return new SyntaxFault(`syntax error in pattern ${JSON.stringify(this.#pattern)}`);
  }
}

/** A character that a regular expression takes for itself. */
function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|/-]/.test(character) ? `\\${character}` : character;
}
