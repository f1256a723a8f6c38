// What an ordinary user's command does first (scripts/program.cjs): where it is to be carried out in a user namespace it begins
// anew there at once, before the program, most of which a start spends its time with, has been loaded. Whatever is not
// plain here is for id-namespace.ts, which knows the parsed command.

import { enterIdNamespace, mayEnterIdNamespace } from "../sys/id-namespace.js";
import { commandIn, wantsNewNamespace } from "./namespace-words.js";

const command = commandIn(process.argv.slice(2));
if (command !== undefined && wantsNewNamespace(command) !== false && mayEnterIdNamespace()) {
  enterIdNamespace();
}
