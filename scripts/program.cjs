#!/usr/bin/env -S STRATA_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS} NODE_EXTRA_CA_CERTS= node --
// Starts the program beside it, NAME.bundle.js for NAME.js, with what V8 has compiled of it already
// (code-cache.cjs). V8 looks whether that is of its own version and flags; else it compiles anew.
//
// Node.js would read all certificates of NODE_EXTRA_CA_CERTS at each start, and the registry client brings its own:
// the variable comes by another name, and is put right for whoever is to have it (`run -e`).
"use strict";

const { existsSync, readFileSync } = require("node:fs");
const { Script } = require("node:vm");

const { STRATA_EXTRA_CA_CERTS: extraCertificates } = process.env;
if (extraCertificates !== undefined) {
  delete process.env.STRATA_EXTRA_CA_CERTS;
  if (extraCertificates === "") delete process.env.NODE_EXTRA_CA_CERTS;
  else process.env.NODE_EXTRA_CA_CERTS = extraCertificates;
}

function compiled(base) {
  try {
    return readFileSync(`${base}.cache`);
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Node.js's own modules that take milliseconds to load, and that most starts of a program do without. */
const LARGE = new Set(
  ["child_process", "crypto", "http", "https", "net", "readline", "readline/promises"]
    .concat([
      "stream/consumers",
      "stream/promises",
      "timers/promises",
      "tls",
      "worker_threads",
      "zlib",
    ])
    .map((one) => `node:${one}`),
);

/** As require; a large module is loaded when something of it is used. */
function lazily(one) {
  if (!LARGE.has(one)) return require(one);
  let loaded;
  const load = () => (loaded ??= require(one));
  return new Proxy(
    {},
    {
      get: (_, key) => load()[key],
      has: (_, key) => key in load(),
      ownKeys: () => Reflect.ownKeys(load()),
      getOwnPropertyDescriptor: (_, key) =>
        Object.assign(Reflect.getOwnPropertyDescriptor(load(), key), { configurable: true }),
    },
  );
}

function run(base) {
  const filename = `${base}.bundle.js`;
  // It is ASCII alone.
  const source = readFileSync(filename).latin1Slice();
  const script = new Script(source, { filename, cachedData: compiled(base) });
  script.runInThisContext()(lazily, module, filename);
}

const name = __filename.slice(0, -".js".length);
// What an ordinary user's command may have to do before anything else (src/cli/first.ts).
if (process.geteuid?.() !== 0 && existsSync(`${name}-first.bundle.js`)) run(`${name}-first`);
run(name);
