// The programs in dist/run are started with what V8 compiled of them when they were built.

import { deepStrictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { manifestFile, PROGRAMS, type ProgramName, programFile } from "../../src/program-files.js";

/** True when V8 takes it: it was made by this version, of this text, without flags. */
const IS_TAKEN = `
  const { readFileSync } = require("node:fs");
  const [file, cache] = process.argv.slice(1);
  const script = new (require("node:vm").Script)(readFileSync(file, "latin1"), { cachedData: readFileSync(cache) });
  console.log(!script.cachedDataRejected);`;

test("programs: what was compiled of them is taken", () => {
  const taken = Object.keys(PROGRAMS).map((name) => {
    const base = fileURLToPath(programFile(name as ProgramName)).slice(0, -".js".length);
    const args = ["-e", IS_TAKEN, `${base}.bundle.js`, `${base}.cache`];
    return [name, execFileSync(process.execPath, args, { encoding: "utf8" }).trim()];
  });
  deepStrictEqual(
    taken.filter(([, isTaken]) => isTaken !== "true"),
    [],
  );
});

test("bin/strata-overlay: its process starts without flags, which would have all compiled anew", () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-flags-"));
  try {
    const [hook, told] = [join(folder, "tell.cjs"), join(folder, "told")];
    const written = `${JSON.stringify(told)}, JSON.stringify(process.execArgv)`;
    writeFileSync(hook, `require("node:fs").writeFileSync(${written});`);
    const env = { ...process.env, NODE_OPTIONS: `--require=${hook}` };
    const program = fileURLToPath(new URL("bin/strata-overlay", manifestFile()));
    execFileSync(program, ["--version"], { env, stdio: "ignore" });
    deepStrictEqual(JSON.parse(readFileSync(told, "utf8")), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
