#!/usr/bin/env -S node --
// The command: runs the program and turns what went wrong into a line and an exit status.

import { plainFlags } from "./boolean-flags.js";
import { exitStatusOf } from "./exit-status.js";
import { messageOf } from "./message.js";
import { buildProgram } from "./program.js";

/** What Node.js itself ends with then. */
const UNFINISHED = 13;

async function main(): Promise<void> {
  const program = buildProgram();
  try {
    await program.parseAsync(plainFlags(program, process.argv.slice(2)), { from: "user" });
  } catch (error) {
    process.stderr.write(`${messageOf(error, process.argv.includes("--debug"))}\n`);
    process.exitCode = exitStatusOf(error);
  }
}

let isDone = false;
process.on("exit", () => {
  if (isDone || process.exitCode !== undefined) return;
  // Nothing is left that could go on, and the command waits all the same: never to be taken for success.
  process.stderr.write("Error: Cannot go on: the command waits for what can't come\n");
  process.exitCode = UNFINISHED;
});
void main().then(() => {
  isDone = true;
});
