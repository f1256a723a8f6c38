// The programs in dist/run are started with what V8 compiled of them when they were built.

import { deepStrictEqual, match } from "node:assert";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  manifestFile,
  OVERLAY_FLAGS,
  PROGRAMS,
  type ProgramName,
  programFile,
} from "../../src/program-files.js";

/** True when V8 takes it: it was made by this version, with these flags. */
const IS_TAKEN = `
  const { readFileSync } = require("node:fs");
  const [file, cache] = process.argv.slice(1);
  const script = new (require("node:vm").Script)(readFileSync(file, "utf8"), { cachedData: readFileSync(cache) });
  console.log(!script.cachedDataRejected);`;

test("programs: what was compiled of them is taken with the flags that they run with", () => {
  const taken = Object.entries(PROGRAMS).flatMap(([name, { flags }]) =>
    flags.map((words) => {
      const base = fileURLToPath(programFile(name as ProgramName)).slice(0, -".js".length);
      const files = [`${base}.bundle.js`, `${base}${words.join("")}.cache`];
      const args = [...words, "-e", IS_TAKEN, ...files];
      return [name, words, execFileSync(process.execPath, args, { encoding: "utf8" }).trim()];
    }),
  );
  deepStrictEqual(
    taken.filter(([, , isTaken]) => isTaken !== "true"),
    [],
  );
});

test("bin/strata-overlay: its process has the flags that its cache was made with", () => {
  const script = readFileSync(new URL("bin/strata-overlay", manifestFile()), "utf8");
  match(script, new RegExp(`^flags=${OVERLAY_FLAGS.join(" ")}$`, "m"));
});
