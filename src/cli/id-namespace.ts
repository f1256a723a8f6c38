// Commands of an ordinary user that have to do with containers are carried out in a user namespace of many
// ids, where there can be one: each begins anew there before it has done anything.

import type { Command } from "commander";
import { placeForContainer } from "../engine/index.js";
import { enterIdNamespace, leaveHolder, mayEnterIdNamespace } from "../sys/index.js";
import { isPlain, wantsNewNamespace } from "./namespace-words.js";
import { type GlobalOptions, note, openStore } from "./session.js";

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
  const words = { group: command.parent?.name() ?? "", verb: command.name() };
  const wanted = wantsNewNamespace(words);
  if (wanted !== false) return { kind: "new", runs: wanted === "runs" };
  const container = isPlain(words) ? VISITORS[words.verb]?.(command.args) : undefined;
  return container === undefined ? undefined : { kind: "container's", container };
}
