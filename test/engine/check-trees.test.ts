// check and repair of unpacked layers: what was changed in them behind the store's back is found, and nothing else.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  chmodSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type ChainId, hexOf } from "../../src/digest.js";
import { check, repair } from "../../src/engine/index.js";
import { parseReference } from "../../src/oci/index.js";
import type { Store } from "../../src/store/index.js";
import { addImage, pictureOf, Scratch, tarOf, writeTree } from "../store/fixture.js";

const options = { timeout: 60_000 };

interface Damage {
  readonly what: string;
  /** Which of the layers, base first. */
  readonly layer: number;
  readonly said: RegExp;
  harm(tree: string): void;
}

/** Another byte in a file, of the same size and time. */
function flipByte(path: string): void {
  const { atime, mtime } = statSync(path);
  const bytes = readFileSync(path);
  bytes[3] = (bytes[3] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}

const DAMAGES: readonly Damage[] = [
  {
    what: "a flipped byte",
    layer: 0,
    said: /"\/dir\/base" of the unpacked layer is not as in its blob$/,
    harm: (tree) => flipByte(join(tree, "dir/base")),
  },
  {
    what: "a removed file",
    layer: 1,
    said: /"\/dir\/a" of the unpacked layer is missing$/,
    harm: (tree) => rmSync(join(tree, "dir/a")),
  },
  {
    what: "an extra file",
    layer: 1,
    said: /"\/dir\/new" of the unpacked layer is not in its blob$/,
    harm: (tree) => writeFileSync(join(tree, "dir/new"), ""),
  },
  {
    what: "another mode of a directory that the layer above only implies",
    layer: 0,
    said: /"\/etc" of the unpacked layer is not as in its blob$/,
    harm: (tree) => chmodSync(join(tree, "etc"), 0o700),
  },
  {
    what: "a whiteout that is gone",
    layer: 1,
    said: /"\/gone" of the unpacked layer is not in its blob$/,
    harm: (tree) => rmSync(join(tree, "gone")),
  },
  {
    what: "two faults",
    layer: 1,
    said: /"\/dir\/a" of the unpacked layer is missing \(and 1 more\)$/,
    harm: (tree) => {
      rmSync(join(tree, "dir/a"));
      writeFileSync(join(tree, "dir/b"), "");
    },
  },
];

/** Image "a" of two layers, and "b" on the same base. */
async function twoImages(scratch: Scratch): Promise<Store> {
  const store = await scratch.store();
  const base = { "dir/base": "base".repeat(999), "etc/conf": "base", gone: "gone" };
  const baseTar = tarOf(writeTree(scratch.join("base"), base));
  const upper = { "dir/a": "a".repeat(999), "etc/a": "a", ".wh.gone": "" };
  const upperTar = tarOf(writeTree(scratch.join("a"), upper), "dir", "etc/a", ".wh.gone");
  await addImage(store, "a", [baseTar, upperTar]);
  await addImage(store, "b", [baseTar, tarOf(writeTree(scratch.join("b"), { b: "b" }))]);
  return store;
}

async function chainOf(store: Store): Promise<readonly ChainId[]> {
  return (await store.resolve("a")).chain;
}

/** All inodes of the layers that have no other name: what was unpacked anew has others. */
function inodesOf(store: Store, but: ChainId): Map<string, number> {
  const inodes = new Map<string, number>();
  for (const home of readdirSync(store.layers.directory)) {
    if (home === hexOf(but)) continue;
    for (const name of readdirSync(join(store.layers.directory, home), { recursive: true })) {
      const path = join(home, String(name));
      inodes.set(path, statSync(join(store.layers.directory, path)).ino);
    }
  }
  return inodes;
}

for (const { what, layer, said, harm } of DAMAGES) {
  test(`check, repair: ${what} is found in its layer alone, and mended`, options, async () => {
    using scratch = new Scratch();
    const store = await twoImages(scratch);
    const sound = pictureOf(store.root);
    const chainId = (await chainOf(store))[layer];
    ok(chainId !== undefined);
    const before = inodesOf(store, chainId);
    deepStrictEqual((await check(store, { deep: true })).findings, []);
    harm(store.layers.path(chainId));
    for (const deep of [false, true]) {
      const { findings } = await check(store, { deep });
      deepStrictEqual(
        findings.map(({ kind, object }) => [kind, object]),
        [["layer", chainId]],
      );
      match(findings[0]?.message ?? "", said);
    }
    const { removed, left } = await repair(store);
    deepStrictEqual(removed, [{ kind: "layer", name: chainId }]);
    deepStrictEqual(left.findings, []);
    deepStrictEqual(inodesOf(store, chainId), before);
    for (const name of ["a", "b"]) await store.unpack(await store.resolve(name));
    deepStrictEqual((await check(store, { deep: true })).findings, []);
    deepStrictEqual(pictureOf(store.root), sound);
    deepStrictEqual(readdirSync(join(store.root, "tmp")), []);
  });
}

test("check: without an index a changed file is found by --deep only", options, async () => {
  using scratch = new Scratch();
  const store = await twoImages(scratch);
  const [base, top] = await chainOf(store);
  ok(base !== undefined && top !== undefined);
  for (const chainId of [base, top]) rmSync(store.layers.indexPath(chainId));
  flipByte(join(store.layers.path(base), "dir/base"));
  deepStrictEqual((await check(store)).findings, []);
  const { findings } = await check(store, { deep: true });
  deepStrictEqual(
    findings.map(({ kind, object }) => [kind, object]),
    [["layer", base]],
  );
});

test("check --deep: says which layers it could not compare, and why", options, async () => {
  using scratch = new Scratch();
  const store = await twoImages(scratch);
  const [base, top] = await chainOf(store);
  const [, other] = (await store.resolve("b")).chain;
  ok(base !== undefined && top !== undefined && other !== undefined);
  deepStrictEqual((await check(store, { deep: true })).uncompared, []);
  // As somebody would have unpacked it who may not change owners.
  const path = join(store.layers.home(top), "layer.json");
  const info = JSON.parse(readFileSync(path, "utf8")) as { format: { ownership: string } };
  const ownership = info.format.ownership === "override" ? "native" : "override";
  writeFileSync(path, JSON.stringify({ ...info, format: { ...info.format, ownership } }));
  await store.references.delete(parseReference("b"));
  const said = [
    `Cannot compare "${other}" with its blob: no image and no container says what it stands on`,
    `Cannot compare "${top}" with its blob: it, or a layer below it, was unpacked with other rights or in another format`,
  ];
  const { findings, uncompared } = await check(store, { deep: true });
  deepStrictEqual(findings, []);
  deepStrictEqual(uncompared, said);
  // Who doesn't ask for a comparison is told nothing of it.
  deepStrictEqual((await check(store)).uncompared, []);
});

test(
  "repair: a layer that a container stands on is unpacked again; one whose blob is gone stays",
  options,
  async () => {
    using scratch = new Scratch();
    const store = await twoImages(scratch);
    const image = await store.resolve("a");
    const [base, top] = image.chain;
    ok(base !== undefined && top !== undefined);
    await store.containers.create({ image, imageName: "a" });
    const file = join(store.layers.path(base), "dir/base");
    flipByte(file);
    const { left } = await repair(store);
    deepStrictEqual(left.findings, []);
    strictEqual(readFileSync(file, "utf8"), "base".repeat(999));
    // A damaged blob says nothing of the tree: what is left of the layer stays.
    const packed = image.manifest.layers[1]?.digest;
    ok(packed !== undefined);
    writeFileSync(store.blobs.path(packed), "rubbish");
    const whole = join(store.layers.path(top), "dir/a");
    const { removed } = await repair(store, { deep: true });
    deepStrictEqual(removed.map(({ kind }) => kind).sort(), ["blob", "image"]);
    strictEqual(readFileSync(whole, "utf8"), "a".repeat(999));
  },
);
