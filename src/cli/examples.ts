// Examples of the commands whose own file has none. A command of a group ("container stop") is the
// same command as that outside it, and shows the same.

import type { Command } from "commander";

/** By the words of the command; what stands in a group is found by its last word, too. */
const EXAMPLES: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    pull: ["pull debian:12", "pull --platform linux/arm64 localhost:5000/team/app:1"],
    push: ["push localhost:5000/team/app:1", "push --compression zstd localhost:5000/team/app:1"],
    search: ["search --limit 5 nginx", "search localhost:5000/app"],
    login: ["login -u me registry.example.com", "login --password-stdin -u me <token"],
    create: ["create --name web -p 8080:80 nginx", "create -v ./data:/data debian sh"],
    start: ["start web", "start -ai web", "start --all --filter should-start-on-boot=true"],
    stop: ["stop web", "stop -t 30 web worker"],
    restart: ["restart web"],
    kill: ["kill web", "kill -s HUP web"],
    exec: ["exec -it web sh", "exec -u www-data web id"],
    attach: ["attach web"],
    logs: ["logs -f web", "logs --tail 20 web"],
    unmount: ["unmount /mnt", "unmount -l web"],
    containers: ["containers", "containers -q"],
    rm: ["rm web", "rm -f web worker"],
    stats: ["stats --no-stream web"],
    check: ["check"],
    prune: ["prune -n", "prune"],
    "container prune": ["container prune -f"],
    "system prune": ["system prune -f"],
  }),
);

/** Adds the examples to the help of the commands below `program`. */
export function addExamples(program: Command): void {
  addBelow(program, program.name(), "");
}

function addBelow(command: Command, programName: string, words: string): void {
  for (const each of command.commands) {
    const own = words === "" ? each.name() : `${words} ${each.name()}`;
    const outside = words === "container" || words === "image" ? each.name() : own;
    const lines = EXAMPLES.get(own) ?? (hasImageMeaning(own) ? undefined : EXAMPLES.get(outside));
    if (lines !== undefined) {
      each.addHelpText(
        "after",
        `\nExamples:\n${lines.map((line) => `  ${programName} ${line}`).join("\n")}`,
      );
    }
    addBelow(each, programName, own);
  }
}

/** `image rm` and `image prune` are other commands than `rm` and `prune`. */
function hasImageMeaning(words: string): boolean {
  return words === "image rm" || words === "image prune";
}
