// Which commands of an ordinary user are carried out in a user namespace of many ids. Loads nothing, because it is
// asked before the program is loaded.

/** They run programs. */
const RUNNERS = ["run", "create", "start", "build"];
/** They unpack layers, or look at all. */
const UNPACKERS = ["pull", "load", "import", "check"];
/** As these of a group: volumes have files of other ids. */
const OF_GROUPS: Readonly<Record<string, readonly string[]>> = {
  volume: ["prune"],
  container: ["prune"],
  system: ["df", "prune"],
};
/** The words before a command that don't change what it is. */
const PLAIN_GROUPS = ["strata", "container", "image"];

/** A command, and what it belongs to: "strata" or a management word. */
export interface CommandWords {
  readonly group: string;
  readonly verb: string;
}

export function isPlain({ group }: CommandWords): boolean {
  return PLAIN_GROUPS.includes(group);
}

/** "runs": as true, and it runs programs. */
export function wantsNewNamespace(command: CommandWords): boolean | "runs" {
  const { group, verb } = command;
  if (OF_GROUPS[group]?.includes(verb) === true) return true;
  if (!isPlain(command)) return false;
  return RUNNERS.includes(verb) ? "runs" : UNPACKERS.includes(verb);
}

/** The command in a command line, if that is as plain as most are; what is not understood is undefined. */
export function commandIn(words: readonly string[]): CommandWords | undefined {
  const [first, ...rest] = words;
  if (first === undefined) return undefined;
  if (first === "--root") return commandIn(rest.slice(1));
  if (first === "--debug" || first.startsWith("--root=")) return commandIn(rest);
  if (first.startsWith("-")) return undefined;
  const [second] = rest;
  // The one command that is a group as well.
  const isPrune = first === "build" && second === "prune";
  const isGroup = first in OF_GROUPS || PLAIN_GROUPS.includes(first);
  if (!isGroup && !isPrune) return { group: "strata", verb: first };
  return second === undefined ? undefined : { group: first, verb: second };
}
