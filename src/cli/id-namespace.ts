// Commands of an ordinary user that have to do with containers are carried out in a user namespace of many
// ids, where there can be one: each begins anew there before it has done anything.

import type { Command } from "commander";
import { placeForContainer } from "../engine/index.js";
import { enterIdNamespace, leaveHolder, mayEnterIdNamespace } from "../sys/index.js";
import { type GlobalOptions, note, openStore } from "./session.js";

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
/** They look into one container, or change it; which word names it. */
const VISITORS: Readonly<Record<string, (words: readonly string[]) => string | undefined>> = {
  exec: ([name]) => name,
  commit: ([name]) => name,
  branch: ([name]) => name,
  diff: ([name, second]) => (second === undefined ? name : undefined),
  export: ([name]) => name,
  restart: ([name]) => name,
  cp: (words) =>
    words.map((word) => /^([^/:]+):/.exec(word)?.[1]).find((name) => name !== undefined),
};
/** The words before a command that don't change what it is. */
const PLAIN_GROUPS = ["strata", "container", "image"];

/** To be called before a command's action. Does not return where it begins anew. */
export async function enterNamespaceFor(command: Command): Promise<void> {
  leaveHolder();
  const wanted = wantedBy(command);
  if (wanted === undefined || !mayEnterIdNamespace()) return;
  if (wanted.kind === "new") {
    enterIdNamespace();
    // All is as for users who have one id.
    if (wanted.runs)
      note("WARNING: Containers have one user id only: newuidmap, or the kernel, refuses more");
    return;
  }
  const store = await openStore(command.optsWithGlobals<GlobalOptions>());
  const place = await placeForContainer(store, wanted.container);
  if (place === "new") enterIdNamespace();
  else if (place !== "here") enterIdNamespace(place.pid);
}

type Wanted =
  | { readonly kind: "new"; readonly runs: boolean }
  | { readonly kind: "container's"; readonly container: string };

function wantedBy(command: Command): Wanted | undefined {
  const verb = command.name();
  const group = command.parent?.name() ?? "";
  if (OF_GROUPS[group]?.includes(verb) === true) return { kind: "new", runs: false };
  if (!PLAIN_GROUPS.includes(group)) return undefined;
  if (RUNNERS.includes(verb)) return { kind: "new", runs: true };
  if (UNPACKERS.includes(verb)) return { kind: "new", runs: false };
  const container = VISITORS[verb]?.(command.args);
  return container === undefined ? undefined : { kind: "container's", container };
}
