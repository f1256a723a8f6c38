// COPY and ADD: flags, sources, here-documents, destination.
// https://docs.docker.com/reference/dockerfile/#copy, #add

import { blankSeparated, type CommandParts, parseJsonForm } from "./arguments.js";
import { SyntaxFault } from "./fault.js";
import { type FlagKind, Flags } from "./flags.js";
import { type Heredoc, parseHeredocWord } from "./heredoc.js";
import type { CopyInstruction } from "./instruction.js";

type CopyArguments = Omit<CopyInstruction, "place" | "source">;

const shared: Readonly<Record<string, FlagKind>> = {
  chown: "text",
  chmod: "text",
  link: "boolean",
  exclude: "list",
};
const flagKinds = {
  COPY: { ...shared, from: "text", parents: "boolean" },
  ADD: { ...shared, checksum: "text", "keep-git-dir": "boolean", unpack: "boolean" },
} as const satisfies Record<string, Readonly<Record<string, FlagKind>>>;

/** Throws SyntaxFault in docker's words. */
export function parseCopy(
  name: CopyInstruction["name"],
  parts: CommandParts,
  heredocs: readonly Heredoc[],
): CopyArguments {
  const flags = new Flags(parts.flags, flagKinds[name]);
  const json = parseJsonForm(parts.rest);
  const words = json ?? joinedHeredocs(blankSeparated(parts.rest));
  const destination = words.at(-1);
  if (destination === undefined || words.length < 2) {
    throw new SyntaxFault(
      `${name} requires at least two arguments, but only ${words.length} provided. Destination could not be determined`,
    );
  }
  if (json === undefined && isHeredoc(destination)) {
    throw new SyntaxFault(`${name} cannot accept a heredoc as a destination`);
  }
  const sources = words.slice(0, -1);
  const unpack = flags.text("unpack");
  return {
    name,
    sources: json ?? sources.filter((word) => !isHeredoc(word)),
    ...(json === undefined ? {} : { sources }),
    heredocs,
    destination,
    from: fromOf(flags.text("from")),
    chown: flags.text("chown"),
    chmod: flags.text("chmod"),
    link: flags.is("link"),
    parents: flags.is("parents"),
    exclude: flags.list("exclude"),
    checksum: flags.text("checksum"),
    keepGit: flags.is("keep-git-dir"),
    unpack: unpack === undefined ? undefined : unpack === "true",
  };
}

/** `<< EOF` is one word, as heredocsOf read it. */
function joinedHeredocs(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    const before = joined.at(-1);
    if (before !== undefined && /^\d*<<-?$/.test(before)) joined[joined.length - 1] += word;
    else joined.push(word);
  }
  return joined;
}

function isHeredoc(word: string): boolean {
  return word.includes("<<") && parseHeredocWord(word) !== undefined;
}

function fromOf(from: string | undefined): string | undefined {
  if (from?.includes("$") === true) {
    throw new SyntaxFault(
      "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
    );
  }
  return from;
}
