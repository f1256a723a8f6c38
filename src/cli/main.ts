#!/usr/bin/env -S node --
// The command: runs the program and turns what went wrong into a line and an exit status.

import { plainFlags } from "./boolean-flags.js";
import { exitStatusOf } from "./exit-status.js";
import { messageOf } from "./message.js";
import { buildProgram } from "./program.js";

const program = buildProgram();
try {
  await program.parseAsync(plainFlags(program, process.argv.slice(2)), { from: "user" });
} catch (error) {
  process.stderr.write(`${messageOf(error, process.argv.includes("--debug"))}\n`);
  process.exitCode = exitStatusOf(error);
}
