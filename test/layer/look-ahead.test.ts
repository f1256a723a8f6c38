// Looking ahead of a walk: what it may never do. Whether it is worth it is the benchmark's to say.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isFsError } from "../../src/errors.js";
import { openDirectoryLayer } from "../../src/layer/index.js";
import { LookAhead } from "../../src/layer/look-ahead.js";
import { AsyncRing, poll } from "../../src/sys/index.js";
import { Scratch } from "./host-tree.js";

const LIMIT = { timeout: 60_000 };
/** Every disk is cold, or none. */
const [ALWAYS, NEVER] = [-1, Number.POSITIVE_INFINITY];
const LONG_AGO = 1_000_000_000;
const DIRECTORIES = 200;

function canLookUp(): string | false {
  try {
    new AsyncRing().close();
    return false;
  } catch (error) {
    ok(isFsError(error));
    return `there is no io_uring: ${error.message}`;
  }
}

const skip = canLookUp();

/** Directories, files and a symlink that leads out, all of long ago. */
function fill(path: string): string[] {
  for (let at = 0; at < DIRECTORIES; at++) {
    mkdirSync(join(path, `d${at}`));
    writeFileSync(join(path, `d${at}`, "inside"), "");
    writeFileSync(join(path, `f${at}`), "content");
  }
  symlinkSync("/usr", join(path, "link"));
  const names = readdirSync(path).sort();
  for (const name of names) lutimesSync(join(path, name), LONG_AGO, Date.now() / 1000);
  return names;
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function waitFor(isSo: () => boolean): void {
  while (!isSo()) poll([], 1);
}

test("LookAhead: a layer lists the same, no access time moves, no descriptor stays", {
  ...LIMIT,
  skip,
}, () => {
  using scratch = new Scratch();
  const path = scratch.directory("layer");
  const names = fill(path);
  const before = openDescriptors();
  const lookAhead = new LookAhead(ALWAYS);
  const layer = openDirectoryLayer(path, { lookAhead });
  try {
    const opened = openDescriptors();
    const listed = layer.readdir(layer.root).map(({ name }): string => name);
    deepStrictEqual(listed.sort(), names);
    ok(lookAhead.hasBegun, "it looked ahead");
    waitFor(() => lookAhead.underWay === 0);
    strictEqual(openDescriptors(), opened + 1, "the rings alone");
    for (const name of names) {
      strictEqual(
        lstatSync(join(path, name)).atimeMs,
        LONG_AGO * 1000,
        `${name} was looked up only`,
      );
    }
  } finally {
    layer.close();
  }
  strictEqual(openDescriptors(), before);
});

test("LookAhead: all layers take turns, and every directory is looked into", {
  ...LIMIT,
  skip,
}, () => {
  using scratch = new Scratch();
  const lookAhead = new LookAhead(ALWAYS);
  const layers = ["a", "b", "c"].map((name) => {
    const path = scratch.directory(name);
    fill(path);
    return openDirectoryLayer(path, { lookAhead });
  });
  const opened = openDescriptors();
  try {
    for (const layer of layers) strictEqual(layer.readdir(layer.root).length, 2 * DIRECTORIES + 1);
    ok(lookAhead.lookedInto < 3 * DIRECTORIES, "not all at once");
    waitFor(() => lookAhead.underWay === 0);
    strictEqual(lookAhead.lookedInto, 3 * DIRECTORIES);
    strictEqual(openDescriptors(), opened + 1, "the rings alone");
  } finally {
    for (const layer of layers) layer.close();
  }
});

test("LookAhead: closed while lookups are under way it leaves nothing, and begins nothing", {
  ...LIMIT,
  skip,
}, () => {
  using scratch = new Scratch();
  const path = scratch.directory("layer");
  const names = fill(path);
  const before = openDescriptors();
  const lookAhead = new LookAhead(ALWAYS);
  const layer = openDirectoryLayer(path, { lookAhead });
  layer.readdir(layer.root);
  lookAhead.close();
  strictEqual(layer.readdir(layer.root).length, names.length);
  strictEqual(lookAhead.underWay, 0);
  layer.close();
  strictEqual(openDescriptors(), before);
});

test("LookAhead: where everything is in memory nothing is begun", LIMIT, () => {
  using scratch = new Scratch();
  const path = scratch.directory("layer");
  fill(path);
  const lookAhead = new LookAhead(NEVER);
  const layer = openDirectoryLayer(path, { lookAhead });
  try {
    layer.readdir(layer.root);
    ok(!lookAhead.hasBegun);
  } finally {
    layer.close();
  }
});
