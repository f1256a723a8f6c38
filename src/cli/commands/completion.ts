// completion, and the hidden command that the shells' scripts ask.

import { Argument, type Command } from "commander";
import { knownNames } from "../../engine/index.js";
import { type Candidates, candidatesFor } from "../completion/candidates.js";
import { SCRIPTS, SHELLS, type Shell } from "../completion/scripts.js";
import { print, printLine } from "../session.js";

const FILES = 1;
const NO_BLANK = 2;

export function addCompletionCommands(program: Command): void {
  program
    .command("completion")
    .description("print the script by which a shell completes strata's commands and names")
    .addArgument(new Argument("<shell>", "whose script").choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  source <(strata completion bash)
  strata completion bash >/etc/bash_completion.d/strata
  strata completion zsh >/usr/local/share/zsh/site-functions/_strata
  strata completion fish >~/.config/fish/completions/strata.fish`,
    )
    .action((shell: Shell) => print(SCRIPTS[shell]));
  program
    .command("complete-words [words...]", { hidden: true })
    .description("what may stand at the end of a command line")
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const typed = words.length === 0 ? [""] : words;
      const candidates = candidatesFor(program, typed);
      for (const line of await linesOf(candidates, typed)) printLine(line);
    });
}

async function linesOf(candidates: Candidates, typed: readonly string[]): Promise<string[]> {
  const current = typed.at(-1) ?? "";
  const names = await namesOf(candidates.names, rootOf(typed));
  const words = [
    ...candidates.words.map(({ value, description }) => `${value}\t${description}`),
    ...names.map((name) => `${name}\t`),
  ].filter((line) => line.startsWith(current));
  const files = candidates.files ? FILES : 0;
  const blank = candidates.names === "container-paths" && words.length > 0 ? NO_BLANK : 0;
  return [...words, `:${files | blank}`];
}

async function namesOf(kind: Candidates["names"], root: string | undefined): Promise<string[]> {
  if (kind === "none") return [];
  const { images, containers, volumes } = await knownNames(root);
  switch (kind) {
    case "images":
      return [...images];
    case "containers":
      return [...containers];
    case "volumes":
      return [...volumes];
    case "both":
      return [...containers, ...images];
    case "container-paths":
      return containers.map((name) => `${name}:`);
  }
}

/** The store that the words name. */
function rootOf(typed: readonly string[]): string | undefined {
  const at = typed.indexOf("--root");
  const joined = typed.find((word) => word.startsWith("--root="));
  return at >= 0 ? typed[at + 1] : joined?.slice("--root=".length);
}
