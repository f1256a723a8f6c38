// Completion as shells do it: bash, zsh and fish run the scripts that strata prints for them, and ask
// a strata with a real store.

import { deepStrictEqual, match } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { programFile } from "../../src/program-files.js";
import { addImage, lacking, Scratch, tarOf, writeTree } from "../store/fixture.js";

const options = { timeout: 120_000 };
const main = fileURLToPath(programFile("strata"));

let scratch: Scratch;
let env: NodeJS.ProcessEnv;

before(async () => {
  scratch = new Scratch();
  process.on("exit", () => scratch[Symbol.dispose]());
  const store = await scratch.store();
  const layer = tarOf(writeTree(scratch.join("tree"), { file: "text" }));
  for (const name of ["debian:12", "debian:11", "localhost:5000/app:1"]) {
    await addImage(store, name, [layer]);
  }
  const image = await store.resolve("debian:12");
  for (const name of ["web", "worker"]) {
    await store.containers.create({ image, imageName: "debian:12", name });
  }
  writeTree(scratch.join("bin"), {});
  writeTree(scratch.join("here"), { "archive.tar": "", "other.tar": "" });
  writeFileSync(scratch.join("bin/strata"), `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`);
  chmodSync(scratch.join("bin/strata"), 0o755);
  const path = `${scratch.join("bin")}:${process.env["PATH"]}`;
  env = { ...process.env, PATH: path, STRATA_ROOT: store.root, HOME: scratch.join("here") };
});

function shell(command: string, args: readonly string[]): string[] {
  const cwd = scratch.join("here");
  const printed = execFileSync(command, args, { env, cwd, encoding: "utf8", timeout: 60_000 });
  return printed.split("\n").filter((line) => line !== "");
}

/** What is typed, and what each shell must offer of it. */
const CASES: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ["strata unm", ["unmount"]],
  ["strata image hist", ["history"]],
  ["strata images --di", ["--digests"]],
  ["strata rmi debian:", ["debian:12", "debian:11"]],
  ["strata history localh", ["localhost:5000/app:1"]],
  ["strata export w", ["web", "worker"]],
  ["strata cp we", ["web:"]],
  ["strata completion z", ["zsh"]],
  ["strata load -i arch", ["archive.tar"]],
  ["strata load -i archive.tar -", ["--input", "-i", "--quiet", "-q", "--help"]],
];

/** Those that differ in what a shell makes of them; each takes the start of a program or two. */
const FEW = CASES.filter((_, n) => n % 2 === 1);

const sorted = (words: readonly string[]): string[] => [...words].sort();

test("completion bash: commands, options, names of images and containers, files", options, () => {
  const script = `source <(strata completion bash)
    COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
    for line; do COMP_LINE=$line COMP_POINT=\${#line}; _strata_complete
      echo "= $line"; printf '%s\\n' "\${COMPREPLY[@]}"; done`;
  const printed = shell("bash", ["-c", script, "bash", ...CASES.map(([line]) => line)]);
  const expected = CASES.map(([line, offered]) => {
    // bash has taken what stands before a colon already.
    const front = /\S*:/.exec(line)?.[0] ?? "";
    return [`= ${line}`, ...sorted(offered.map((word) => word.slice(front.length)))];
  });
  const found = printed
    .join("\n")
    .split(/\n?(?=^= )/m)
    .map((part) => part.split("\n"));
  deepStrictEqual(
    found.map(([line = "", ...words]) => [line, ...sorted(words)]),
    expected,
  );
});

test("completion fish: the same, with descriptions", { ...options, skip: lacking("fish") }, () => {
  for (const [line, offered] of FEW) {
    const script = `strata completion fish | source; complete -C '${line}'`;
    const words = shell("fish", ["--no-config", "-c", script]);
    deepStrictEqual(sorted(words.map((word) => word.split("\t")[0] ?? "")), sorted(offered), line);
  }
  const script = "strata completion fish | source; complete -C 'strata unm'";
  match(shell("fish", ["--no-config", "-c", script]).join(), /^unmount\tend a mount/);
});

test("completion zsh: the same", { ...options, skip: lacking("zsh") }, () => {
  // The parts of zsh's own completion that the script calls, as far as they matter.
  const script = `compdef() { }
    _call_program() { shift; eval "$*" }
    _describe() { shift; local name=$1; print -rl -- "\${(@P)name}" }
    _files() { print -rl -- $words[CURRENT]*(N) }
    source <(strata completion zsh)
    for line in "$@"; do
      words=(\${=line}) CURRENT=\${#words}
      print -r -- "= $line"; _strata
    done`;
  const printed = shell("zsh", ["-fc", script, "zsh", ...FEW.map(([line]) => line)]);
  const found = printed
    .join("\n")
    .split(/\n?(?=^= )/m)
    .map((part) => part.split("\n"));
  for (const [n, [line, offered]] of FEW.entries()) {
    const words = (found[n] ?? []).slice(1).map((text) => {
      const [value = ""] = /^(?:\\.|[^:\\])*/.exec(text) ?? [];
      return value.replaceAll("\\:", ":");
    });
    deepStrictEqual(sorted(words), sorted(offered), line);
  }
});

test("complete-words: makes no store, and knows what stands where", options, () => {
  const ask = (...words: string[]): string[] => shell("strata", ["complete-words", "--", ...words]);
  deepStrictEqual(ask("--root", scratch.join("none"), "rmi", ""), [":0"]);
  deepStrictEqual(existsSync(scratch.join("none")), false);
  // What is run in a container has options of its own.
  deepStrictEqual(ask("run", "debian:12", "-"), [":0"]);
  deepStrictEqual(ask("save", "--format", ""), ask("save", "--format", ""));
  match(ask("").join(), /\bpull\t/);
  deepStrictEqual(
    ask("").filter((line) => line.startsWith("complete-words")),
    [],
  );
});
