// SOURCE_DATE_EPOCH for archives of others: GNU tar's --clamp-mtime is the oracle.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { utimesSync } from "node:fs";
import { test } from "node:test";
import { importRootfs } from "../../src/image/index.js";
import { clampTimes } from "../../src/tar/clamp-times.js";
import { bytesOfStream, chunksOf, Scratch, tarOf, writeTree } from "../store/fixture.js";

const LATEST = 1_000_000_000;

/** Each member with its time, as GNU tar lists it. */
function listed(archive: Uint8Array): string {
  return execFileSync("tar", ["--full-time", "--utc", "-tvf", "-"], { input: archive }).toString();
}

test("clampTimes: no time is later than the given one, all else stays", async () => {
  using scratch = new Scratch();
  const tree = writeTree(scratch.join("tree"), {
    old: "old",
    now: "now",
    edge: "edge",
    [`d/${"long".repeat(40)}`]: "x".repeat(100_000),
  });
  utimesSync(`${tree}/old`, 5, 5);
  utimesSync(`${tree}/edge`, LATEST + 0.5, LATEST + 0.5);
  const archive = tarOf(tree);
  const clamped = await bytesOfStream(clampTimes(chunksOf(archive, 1000), LATEST));
  const options = ["--format=posix", "--sort=name", "--numeric-owner", "--clamp-mtime"];
  const expected = execFileSync("tar", [
    ...["-C", tree, ...options, `--mtime=@${LATEST}`, "-cf", "-", "--", "."],
  ]);
  strictEqual(listed(clamped), listed(expected));
  deepStrictEqual(await bytesOfStream(clampTimes(chunksOf(clamped), LATEST)), clamped);
});

test("importRootfs: with a latest time, trees of other moments give the same image", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  const ids = new Set<string>();
  for (const name of ["one", "two"]) {
    const tree = writeTree(scratch.join(name), { "etc/a": "a", "etc/b": "b" });
    utimesSync(`${tree}/etc/a`, LATEST + name.charCodeAt(0), LATEST + name.charCodeAt(0));
    const imported = await importRootfs(chunksOf(tarOf(tree)), store, {
      created: new Date(LATEST * 1000),
      latestSec: LATEST,
    });
    ids.add(imported.id);
  }
  strictEqual(ids.size, 1);
  deepStrictEqual((await store.check()).findings, []);
});
