#!/usr/bin/env node
// Runs the compiled tests that need no mount of ours: all but root/, mount/, e2e/ and registry/server/. The files of
// one folder share a process, because to start Node.js and to load the sources a hundred times took a third of the time.
// $REPORTER is a reporter of node:test's. Exits as `node --test` does.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiled = join(root, "dist/test");
const groups = join(root, "dist/fast");
const SLOW = /^(root|mount|e2e|registry\/server)\//;
const PROCESSES = 2;
/** Small itself, but it reads the whole project. */
const LARGE = "tidy";

dropStale();
rmSync(groups, { recursive: true, force: true });
mkdirSync(groups);
// The largest first (node:test goes by name): then no process is left with a long one at the end.
const files = byFolder()
  .sort((a, b) => b.sizeBytes - a.sizeBytes)
  .map(({ folder, paths }, index) => {
    const file = join(groups, `${String(index).padStart(2, "0")}-${folder}.js`);
    writeFileSync(file, paths.map((path) => `import "../test/${path}";\n`).join(""));
    return file;
  });
const options = [
  `--test-concurrency=${PROCESSES}`,
  `--test-reporter=${process.env["REPORTER"] ?? "dot"}`,
];
const { status } = spawnSync(process.execPath, ["--test", ...options, ...files], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;

/** Paths of compiled tests below dist/test. */
function testsBelow() {
  return readdirSync(compiled, { recursive: true })
    .filter((path) => path.endsWith(".test.js"))
    .sort();
}

/** Compiled tests whose source is gone would otherwise run for ever. */
function dropStale() {
  for (const path of testsBelow()) {
    const stem = path.slice(0, -".js".length);
    if (existsSync(join(root, "test", `${stem}.ts`))) continue;
    for (const end of [".js", ".js.map", ".d.ts"]) {
      rmSync(join(compiled, `${stem}${end}`), { force: true });
    }
  }
}

/** The fast tests of each folder, and how much there is of them. */
function byFolder() {
  const found = new Map();
  for (const path of testsBelow()) {
    if (SLOW.test(path)) continue;
    const folder = path.split("/")[0].replace(/\.test\.js$/, "");
    const group = found.get(folder) ?? {
      folder,
      paths: [],
      sizeBytes: folder === LARGE ? Infinity : 0,
    };
    found.set(folder, group);
    group.paths.push(path);
    group.sizeBytes += statSync(join(compiled, path)).size;
  }
  return [...found.values()];
}
