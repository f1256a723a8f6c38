#!/usr/bin/env node
// Makes one file of each program and of the modules that it loads, and compiles it, because a process
// that starts spends most of its time in loading and compiling; and one of the library. Packages that are
// JavaScript alone are a part of the programs. dist/src stays as it is (the tests' and the types' way in).
// Run after tsc, by `npm run build`.

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const dist = join(here, "../dist");
const target = join(dist, "run");
const { LIBRARY, PROGRAMS } = await import(join(dist, "src/program-files.js"));

/** The wrapper that scripts/program.cjs calls; a module's own address is the bundle's. */
const HEAD = `(function (require, module, __filename) {
const exports = module.exports, __address = require("node:url").pathToFileURL(__filename).href;`;

const shared = {
  outdir: target,
  bundle: true,
  platform: "node",
  target: "node20",
  metafile: true,
  logLevel: "warning",
};

const programs = await build({
  ...shared,
  entryPoints: Object.entries(PROGRAMS).map(([out, path]) => ({
    in: join(dist, "src", path),
    out: `${out}.bundle`,
  })),
  // They bring compiled parts, which lie in their own directories.
  external: ["koffi", "fuse-native"],
  format: "cjs",
  // The names stay: they are what the stack of an error says.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 120,
  define: { "import.meta.url": "__address" },
  supported: { "dynamic-import": false },
  banner: { js: HEAD },
  footer: { js: "})" },
});
const library = await build({
  ...shared,
  entryPoints: [{ in: join(dist, "src", LIBRARY), out: "library" }],
  outExtension: { ".js": ".mjs" },
  // What is loaded later is a file of its own.
  splitting: true,
  packages: "external",
  format: "esm",
});

mkdirSync(target, { recursive: true });
writeFileSync(join(target, "package.json"), '{ "type": "commonjs" }\n');
const made = new Set(["package.json"]);
for (const { metafile } of [programs, library]) {
  for (const path of Object.keys(metafile.outputs)) made.add(path.split("/").at(-1));
}
for (const name of Object.keys(PROGRAMS)) {
  made.add(`${name}.js`);
  copyFileSync(join(here, "program.cjs"), join(target, `${name}.js`));
  chmodSync(join(target, `${name}.js`), 0o755);
}
for (const name of Object.keys(PROGRAMS)) made.add(`${name}.cache`);
execFileSync(process.execPath, [join(here, "code-cache.cjs"), target, ...Object.keys(PROGRAMS)]);
// Parts that an earlier build made. Files that are the same are never missing meanwhile.
for (const name of readdirSync(target)) {
  if (!made.has(name)) rmSync(join(target, name), { force: true });
}
