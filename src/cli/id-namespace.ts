// Commands of an ordinary user that have to do with containers are carried out in a user namespace of many
// ids, where there can be one: each begins anew there before it has done anything.

import type { Command } from "commander";
import { placeForContainer } from "../engine/index.js";
import { enterIdNamespace, leaveHolder, mayEnterIdNamespace } from "../sys/index.js";
import { type GlobalOptions, note, openStore } from "./session.js";

/** They make the files of containers, or read them all. */
const MAKERS = ["run", "create", "start", "build", "check"];
/** As these of a group: volumes have files of other ids. */
const MAKERS_IN: Readonly<Record<string, readonly string[]>> = {
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
const GROUPS = ["strata", "container", "image"];

/** To be called before a command's action. Does not return where it begins anew. */
export async function enterNamespaceFor(command: Command): Promise<void> {
  leaveHolder();
  const verb = command.name();
  const group = command.parent?.name() ?? "";
  const isPlain = GROUPS.includes(group);
  const isMaker = (isPlain && MAKERS.includes(verb)) || MAKERS_IN[group]?.includes(verb) === true;
  const containerIn = isPlain ? VISITORS[verb] : undefined;
  if ((!isMaker && containerIn === undefined) || !mayEnterIdNamespace()) return;
  if (isMaker) {
    enter();
    return;
  }
  const name = containerIn?.(command.args);
  if (name === undefined) return;
  const store = await openStore(command.optsWithGlobals<GlobalOptions>());
  const place = await placeForContainer(store, name);
  if (place === "here") return;
  enter(place === "new" ? undefined : place.pid);
}

/** Returns where it can't be: then all is as for users who have one id. */
function enter(pid?: number): void {
  enterIdNamespace(pid);
  note("WARNING: Containers have one user id only here: no user namespace of more can be made");
}
