#!/usr/bin/env -S node --
// Starts the program beside it, NAME.bundle.js for NAME.js, with what V8 has compiled of it already
// (code-cache.cjs). V8 looks whether that is of its own version and flags; else it compiles anew.
"use strict";

const { readFileSync } = require("node:fs");
const { Script } = require("node:vm");

const name = __filename.slice(0, -".js".length);
const filename = `${name}.bundle.js`;
const flags = process.execArgv.filter((flag) => flag !== "--").join("");

function compiled() {
  try {
    return readFileSync(`${name}${flags}.cache`);
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

const script = new Script(readFileSync(filename, "utf8"), { filename, cachedData: compiled() });
script.runInThisContext()(require, module, filename);
