// Compiles bundled programs, all functions of them, and keeps what came of it: NAME<flags>.cache. To be run with the
// flags that the programs run with, because V8 takes no cache that was made with other ones.
//
//   node [FLAG ...] scripts/code-cache.cjs DIRECTORY NAME ...
"use strict";

const { readFileSync, renameSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const { Script } = require("node:vm");

const [directory, ...names] = process.argv.slice(2);
const flags = process.execArgv.join("");
for (const name of names) {
  const filename = join(directory, `${name}.bundle.js`);
  setFlagsFromString("--no-lazy");
  const script = new Script(readFileSync(filename, "utf8"), { filename });
  setFlagsFromString("--lazy");
  const target = join(directory, `${name}${flags}.cache`);
  // Whoever starts the program meanwhile reads a whole one.
  writeFileSync(`${target}.new`, script.createCachedData());
  renameSync(`${target}.new`, target);
}
