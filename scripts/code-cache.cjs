// Compiles bundled programs, all functions of them, and keeps what came of it: NAME.cache.
//
//   node scripts/code-cache.cjs DIRECTORY NAME ...
"use strict";

const { isAscii } = require("node:buffer");
const { readFileSync, renameSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const { Script } = require("node:vm");

const [directory, ...names] = process.argv.slice(2);
for (const name of names) {
  const filename = join(directory, `${name}.bundle.js`);
  const bytes = readFileSync(filename);
  // So that program.cjs need not decode it.
  if (!isAscii(bytes)) throw new Error(`${filename}: write other characters as \\u....`);
  setFlagsFromString("--no-lazy");
  const script = new Script(bytes.latin1Slice(), { filename });
  setFlagsFromString("--lazy");
  const target = join(directory, `${name}.cache`);
  // Whoever starts the program meanwhile reads a whole one.
  writeFileSync(`${target}.new`, script.createCachedData());
  renameSync(`${target}.new`, target);
}
