// The help of every command, and the manual page made of it: nothing is without a description, no
// options are without an example, and what the README names is there.

import { deepStrictEqual, ok } from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { visibleCommands } from "../../src/cli/completion/candidates.js";
import { commandPage, helpOf, textPage } from "../../src/cli/man-page.js";
import { HELP } from "../../src/cli/overlay/help.js";
import { buildProgram } from "../../src/cli/program.js";
import { lacking, Scratch } from "../store/fixture.js";

type Command = ReturnType<typeof buildProgram>;

const TITLE = { version: "1.2.3", date: "November 2026" };

/** Every command that help shows, with its words. */
function commandsOf(command: Command, words = command.name()): [words: string, Command][] {
  const below = visibleCommands(command).flatMap((each) =>
    commandsOf(each, `${words} ${each.name()}`),
  );
  return [[words, command], ...below];
}

test("help: every command has a description, and an example where it has options", () => {
  const all = commandsOf(buildProgram());
  deepStrictEqual(
    all.filter(([, command]) => command.description() === "").map(([words]) => words),
    [],
  );
  const bare = all.filter(
    ([, command]) => command.options.length > 0 && !/^Examples?:\n {2}\S/m.test(helpOf(command)),
  );
  deepStrictEqual(
    bare.map(([words]) => words),
    [],
  );
  const silent = all.flatMap(([words, command]) =>
    command.options
      .filter(({ description }) => !description)
      .map(({ flags }) => `${words} ${flags}`),
  );
  deepStrictEqual(silent, []);
});

test("help: every example begins with a command that exists", () => {
  const program = buildProgram();
  const names = program.commands.flatMap((each) => [each.name(), ...each.aliases()]);
  const wrong = commandsOf(program).flatMap(([words, command]) => {
    const examples = helpOf(command).split(/^Examples?:\n/m)[1] ?? "";
    const used = [...examples.matchAll(/\bstrata ([a-z]+)/g)].map(([, name = ""]) => name);
    return used.filter((name) => !names.includes(name)).map((name) => `${words}: ${name}`);
  });
  deepStrictEqual(wrong, []);
});

test("README: every command that it names exists, and every command is named", () => {
  const readme = readFileSync("README.md", "utf8");
  const names = buildProgram().commands.flatMap((each) => [each.name(), ...each.aliases()]);
  const table = readme.split("\n").filter((line) => /^\| `/.test(line));
  const listed = table.flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)]);
  const first = listed.map(([, text = ""]) => text.split(" ")[0] ?? "");
  deepStrictEqual(
    first.filter((name) => !names.includes(name) && !name.includes("-")),
    [],
  );
  const used = [...readme.matchAll(/^(?:\w+ \| )?strata ([a-z]+)/gm)].map(([, name = ""]) => name);
  deepStrictEqual(
    used.filter((name) => !names.includes(name)),
    [],
  );
});

test("commandPage: holds every command, option and example, as man shows them", {
  skip: lacking("man"),
}, () => {
  using scratch = new Scratch();
  const program = buildProgram();
  const pages = {
    "strata.1": commandPage(program, TITLE),
    "strata-overlay.1": textPage("strata-overlay", "mount directories as one tree", HELP, TITLE),
  };
  const shown = Object.entries(pages).map(([name, page]) => {
    writeFileSync(scratch.join(name), page);
    const env = { ...process.env, MANWIDTH: "1000", LC_ALL: "C.UTF-8", MAN_KEEP_FORMATTING: "" };
    const args = ["--warnings", "-E", "UTF-8", "-l", scratch.join(name)];
    const { stderr } = spawnSync("man", args, { env, encoding: "utf8" });
    deepStrictEqual(stderr, "", name);
    return execFileSync("man", ["-E", "UTF-8", "-l", scratch.join(name)], {
      env,
      encoding: "utf8",
    });
  });
  const [text = "", overlay = ""] = shown.map((page) => page.replace(/.\x08/g, ""));
  const plain = (words: string): string => words.replace(/\s+/g, " ");
  const flat = plain(text);
  const missing = commandsOf(program).flatMap(([words, command]) => {
    const wanted = [words.toUpperCase(), ...command.options.map(({ flags }) => flags)];
    const examples = helpOf(command)
      .split("\n")
      .filter((line) => /^ {2}strata /.test(line));
    return [...wanted, ...examples].filter((part) => !flat.includes(plain(part.trim())));
  });
  deepStrictEqual(missing, []);
  const absent = HELP.split("\n").filter(
    (line) => !plain(overlay).includes(plain(line.trim().replace(/^Usage: /, ""))),
  );
  deepStrictEqual(absent, []);
  ok(text.startsWith("STRATA(1)"));
});
