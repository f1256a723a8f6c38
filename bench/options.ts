// The benchmark's command line.

import { parseArgs } from "node:util";
import { EngineError } from "../src/errors.js";
import { hasCode } from "../src/node-errors.js";
import { FULL, type Sizes, SMALL } from "./sizes.js";

export const USAGE = `npm run bench -- [options]       (root)
  --small             small sizes: shows that everything runs, in less than a minute
  --only WORDS        rows whose key contains one of these words, separated by commas; =KEY: this one
  --subjects NAMES    these subjects, separated by commas (ratios want overlayfs among them)
  --driver NAME       of strata's subjects only this driver: dev-fuse, fuse-native
  --rounds N          3 unless given
  --limit SECONDS     give up on one operation after this time; 300 unless given
  --profile           also write CPU profiles of strata's sessions, and say where time went
  --continue          keep the rows that --output has values of already, and measure the others
  --output DIR        bench/results unless given
  --scratch DIR       where the work is done; the system's temporary directory unless given
  --list              print rows and subjects, and do nothing
`;

export interface Options {
  readonly sizes: Sizes;
  readonly only: readonly string[];
  /** Empty: all. */
  readonly subjects: readonly string[];
  readonly driver: string | undefined;
  readonly rounds: number;
  readonly limitSeconds: number;
  readonly profile: boolean;
  readonly continues: boolean;
  readonly output: string | undefined;
  readonly scratch: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

const FLAGS = {
  small: { type: "boolean", default: false },
  only: { type: "string", default: "" },
  subjects: { type: "string", default: "" },
  driver: { type: "string" },
  rounds: { type: "string" },
  limit: { type: "string", default: "300" },
  profile: { type: "boolean", default: false },
  continue: { type: "boolean", default: false },
  output: { type: "string" },
  scratch: { type: "string" },
  list: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** Throws EngineError INVALID_ARGUMENT for what is no option, or has no such value. */
export function parseOptions(words: readonly string[]): Options {
  const { values } = parsed(words);
  return {
    sizes: values.small ? SMALL : FULL,
    only: listOf(values.only),
    subjects: listOf(values.subjects),
    driver: values.driver,
    rounds: positive("--rounds", values.rounds ?? (values.small ? "1" : "3")),
    limitSeconds: positive("--limit", values.limit),
    profile: values.profile,
    continues: values.continue,
    output: values.output,
    scratch: values.scratch,
    list: values.list,
    help: values.help,
  };
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: FLAGS });
  } catch (error) {
    const isTheirs = hasCode(
      error,
      "ERR_PARSE_ARGS_UNKNOWN_OPTION",
      "ERR_PARSE_ARGS_INVALID_OPTION_VALUE",
      "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL",
    );
    if (!isTheirs || !(error instanceof Error)) throw error;
    // Node's sentence, without its advice about "--".
    const [state = ""] = error.message.split(/\. |\n/);
    const message = `Cannot read "${words.join(" ")}": ${state} (see --help)`;
    throw new EngineError("INVALID_ARGUMENT", message, { cause: error });
  }
}

function listOf(text: string): readonly string[] {
  return text.split(",").filter((word) => word !== "");
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  const message = `Cannot use "${name} ${text}": it takes a whole number above 0`;
  throw new EngineError("INVALID_ARGUMENT", message);
}
