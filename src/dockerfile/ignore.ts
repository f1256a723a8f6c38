// .dockerignore: which files of a context are left out. The last pattern that fits decides, for a
// file itself or by one of its directories; `!` brings back.
// https://docs.docker.com/build/concepts/context/#dockerignore-files

import { posix } from "node:path";
import { EngineError } from "../errors.js";
import { SyntaxFault } from "./fault.js";
import { globExpression, hasWildcard } from "./glob.js";

/** One pattern. */
interface Rule {
  /** `!`: brings back what an earlier pattern left out. */
  readonly negated: boolean;
  readonly pattern: string;
  matches(path: string): boolean;
}

/** What the patterns say of one path; to be handed on to what lies below it. */
export interface IgnoreResult {
  readonly ignored: boolean;
  /** For each pattern whether it fits the path or a directory above it. */
  readonly fits: readonly boolean[];
}

/** The patterns of a file, in order. */
export class IgnoreRules {
  readonly #rules: readonly Rule[];

  private constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /** Reads a .dockerignore; `file` names it in messages. Throws EngineError INVALID_ARGUMENT. */
  static parse(text: string, file: string): IgnoreRules {
    const lines = text.replace(/^\ufeff/, "").split("\n");
    const rules = lines.flatMap((line, n) => {
      if (line.startsWith("#") || line.trim() === "") return [];
      try {
        return [ruleOf(line.trim())];
      } catch (error) {
        if (!(error instanceof SyntaxFault)) throw error;
        throw new EngineError(
          "INVALID_ARGUMENT",
          `${file}:${n + 1}: ${error.message} in ${JSON.stringify(line.trim())}`,
        );
      }
    });
    return new IgnoreRules(rules);
  }

  /** Patterns that stand elsewhere, as COPY's --exclude. Throws SyntaxFault. */
  static of(patterns: readonly string[]): IgnoreRules {
    return new IgnoreRules(
      patterns
        .map((text) => text.trim())
        .filter((text) => text !== "")
        .map(ruleOf),
    );
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** What becomes of a path (without a leading slash), given what became of its directory. */
  judge(path: string, directory: IgnoreResult | undefined): IgnoreResult {
    let ignored = false;
    const fits = this.#rules.map((rule, n) => {
      let fit = directory?.fits[n] === true;
      // A pattern that cannot change anything any more is not tried.
      if (!fit && rule.negated === ignored) fit = rule.matches(path);
      if (fit) ignored = !rule.negated;
      return fit;
    });
    return { ignored, fits };
  }

  /** False when nothing below an ignored directory can come back. */
  mayBringBackBelow(directory: string): boolean {
    return this.#rules.some(
      ({ negated, pattern }) =>
        negated && (hasWildcard(pattern) || `${pattern}/`.startsWith(`${directory}/`)),
    );
  }
}

function ruleOf(text: string): Rule {
  const negated = text.startsWith("!");
  const bare = (negated ? text.slice(1) : text).trim();
  if (bare === "") throw new SyntaxFault('illegal exclusion pattern: "!"');
  const pattern = cleaned(bare);
  return { negated, pattern, matches: matcherOf(pattern) };
}

/** Go's path.Clean; a path from the root is one from the context's root. */
function cleaned(pattern: string): string {
  const clean = posix.normalize(pattern);
  const bare = clean.length > 1 ? clean.replace(/\/$/, "") : clean;
  return bare.length > 1 ? bare.replace(/^\//, "") : bare;
}

function matcherOf(pattern: string): (path: string) => boolean {
  if (!hasWildcard(pattern)) return (path) => path === pattern;
  const expression = globExpression(pattern, { doubleStar: true });
  const suffix = pattern.slice(2);
  if (pattern.startsWith("**") && suffix !== "" && !hasWildcard(suffix)) {
    // Only at the start `**name` also means names that end so; `**/name` means the whole name.
    return (path) => path.endsWith(suffix) || (suffix.startsWith("/") && path === suffix.slice(1));
  }
  return (path) => expression.test(path);
}
