// Which commands begin anew in a user namespace, read from the command line before the program is loaded.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { commandIn, wantsNewNamespace } from "../../src/cli/namespace-words.js";
import { buildProgram } from "../../src/cli/program.js";

function wants(line: string): boolean | "runs" | undefined {
  const command = commandIn(line.split(" ").filter(Boolean));
  return command === undefined ? undefined : wantsNewNamespace(command);
}

test("commandIn: global options before the command; what is not plain is left to the program", () => {
  const cases: readonly [line: string, wanted: boolean | "runs" | undefined][] = [
    ["run --rm box true", "runs"],
    ["--root /x run box", "runs"],
    ["--root=/x --debug container start web", "runs"],
    ["image pull x", true],
    ["volume prune -f", true],
    ["volume ls", false],
    ["system df", true],
    ["system", undefined],
    ["ps run", false],
    ["logs --root /x run", false],
    ["--root run", undefined],
    ["--version", undefined],
    ["-v run", undefined],
    ["", undefined],
  ];
  for (const [line, wanted] of cases) strictEqual(wants(line), wanted, line);
});

test("commandIn: names each command as the program's own tree does", () => {
  const program = buildProgram();
  for (const command of program.commands) {
    const names = command.commands.length === 0 ? [[]] : command.commands.map((one) => [one]);
    for (const [inner] of names) {
      const words = [command, ...(inner === undefined ? [] : [inner])].map((one) => one.name());
      const named = commandIn([...words, "x"]);
      // Groups that nothing begins anew for need not be known.
      const found = named === undefined ? false : wantsNewNamespace(named);
      const verb = (inner ?? command).name();
      const group = inner === undefined ? "strata" : command.name();
      deepStrictEqual(found, wantsNewNamespace({ group, verb }), words.join(" "));
    }
  }
});
