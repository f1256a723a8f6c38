// check --repair: what is damaged goes, what is whole stays to the byte, and the store is sound.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hexOf } from "../../src/digest.js";
import { repair } from "../../src/engine/index.js";
import type { Store } from "../../src/store/index.js";
import { addImage, pictureOf, Scratch, tarOf, writeTree } from "./fixture.js";

function layerOf(scratch: Scratch, name: string): Buffer {
  return tarOf(writeTree(scratch.join("trees", name), { [`dir/${name}`]: name.repeat(1000) }));
}

/** Images "a" (base, a) and "b" (base, b). */
async function twoImages(scratch: Scratch): Promise<Store> {
  const store = await scratch.store();
  const base = layerOf(scratch, "base");
  await addImage(store, "a", [base, layerOf(scratch, "a")]);
  await addImage(store, "b", [base, layerOf(scratch, "b")]);
  return store;
}

async function namesIn(store: Store): Promise<string[]> {
  return (await store.images()).flatMap(({ names }) => names).sort();
}

test("repair: a sound store stays as it is, to the byte", async () => {
  using scratch = new Scratch();
  const store = await twoImages(scratch);
  const before = pictureOf(store.root);
  const { removed, left } = await repair(store);
  deepStrictEqual([removed, left.findings], [[], []]);
  deepStrictEqual(pictureOf(store.root), before);
});

for (const part of ["layer", "config", "manifest"] as const) {
  test(`repair: a damaged ${part} takes its blob and the names it belongs to, nothing else`, async () => {
    using scratch = new Scratch();
    const store = await twoImages(scratch);
    const { manifest, descriptor } = await store.resolve("a");
    const parts = {
      layer: manifest.layers[1]?.digest,
      config: manifest.config.digest,
      manifest: descriptor.digest,
    };
    const digest = parts[part];
    ok(digest !== undefined);
    writeFileSync(store.blobs.path(digest), "rubbish");
    const before = pictureOf(store.root);
    const { removed, left } = await repair(store);
    deepStrictEqual(removed, [
      { kind: "blob", name: digest },
      { kind: "image", name: "a:latest" },
    ]);
    deepStrictEqual(left.findings, []);
    deepStrictEqual(await namesIn(store), ["b:latest"]);
    before.delete(`blobs/sha256/${hexOf(digest)}`);
    const after = pictureOf(store.root);
    for (const picture of [before, after]) picture.delete("index.json");
    deepStrictEqual(after, before);
  });
}

test("repair: half a layer is made again where a container stands on it, else when it is needed", async () => {
  using scratch = new Scratch();
  const store = await twoImages(scratch);
  const before = pictureOf(store.root);
  const image = await store.resolve("a");
  const container = await store.containers.create({ image, imageName: "a" });
  const home = (n: number) => join(store.layers.directory, hexOf(image.chain[n] ?? ("" as never)));
  rmSync(join(home(0), "layer.json"));
  rmSync(join(home(1), "diff"), { recursive: true });
  strictEqual((await store.check()).findings.length > 0, true);
  const { removed, left } = await repair(store);
  deepStrictEqual(
    removed.map(({ kind }) => kind),
    ["layer", "layer"],
  );
  deepStrictEqual(left.findings, []);
  await store.containers.remove(container.id);
  deepStrictEqual(pictureOf(store.root), before);
});

test("repair: what is left of a layer stays while a container needs it and no image gives it again", async () => {
  using scratch = new Scratch();
  const store = await twoImages(scratch);
  const image = await store.resolve("a");
  const container = await store.containers.create({ image, imageName: "a" });
  const [, top] = image.chain;
  ok(top !== undefined);
  rmSync(join(store.layers.directory, hexOf(top), "layer.json"));
  truncateSync(store.blobs.path(image.manifest.layers[1]?.digest ?? image.id), 10);
  const { left } = await repair(store);
  deepStrictEqual(left.findings.map(({ kind }) => kind).sort(), ["layer"]);
  ok(existsSync(join(store.layers.path(top), "dir/a")));
  deepStrictEqual(
    (await store.containers.list()).map(({ id }) => id),
    [container.id],
  );
});

test("repair: a container without a record goes unless something was written in it", async () => {
  using scratch = new Scratch();
  const store = await twoImages(scratch);
  const image = await store.resolve("a");
  const ids: string[] = [];
  for (const name of ["kept", "written", "empty"]) {
    ids.push((await store.containers.create({ image, imageName: "a", name })).id);
  }
  const [kept = "", written = "", empty = ""] = ids;
  const [upper = ""] = await store.uppers.ownedBy(written);
  const { diff } = store.uppers.paths(upper);
  writeFileSync(join(diff, "work"), "of hours");
  for (const id of [written, empty]) {
    writeFileSync(join(store.containers.paths(id).home, "container.json"), "{");
  }
  const { removed, left } = await repair(store);
  deepStrictEqual(removed, [{ kind: "container", name: empty }]);
  deepStrictEqual(
    left.findings.map(({ object }) => object),
    [written],
  );
  ok(existsSync(join(diff, "work")));
  strictEqual((await store.containers.get("kept")).id, kept);
});

test("repair: mount points were written by nobody; what lies in a volume was", async () => {
  using scratch = new Scratch();
  const store = await twoImages(scratch);
  const image = await store.resolve("a");
  const points = async (diff: string): Promise<void> => void mkdirSync(join(diff, "proc"));
  const lost = async (): Promise<string> => {
    const files = { "config.json": "{}" };
    const { id } = await store.containers.create({ image, imageName: "a", points, files });
    rmSync(join(store.containers.paths(id).home, "container.json"));
    return id;
  };
  const empty = await lost();
  strictEqual((await store.uppers.ownedBy(empty)).length, 2);
  const first = await repair(store);
  deepStrictEqual(first.removed, [{ kind: "container", name: empty }]);
  deepStrictEqual(first.left.findings, []);
  deepStrictEqual(await store.uppers.list(), []);
  const filled = await lost();
  const data = join(store.containers.paths(filled).volumes, "of-one", "_data");
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, "rows"), "of a base");
  // Files where directories would be: whoever put them there may want them.
  const strange = [await lost(), await lost()].map((id) => store.containers.paths(id).volumes);
  const files = [strange[0] ?? "", join(strange[1] ?? "", "of-one")];
  mkdirSync(strange[1] ?? "");
  for (const file of files) writeFileSync(file, "somebody's");
  const { removed, left } = await repair(store);
  deepStrictEqual(removed, []);
  strictEqual(left.findings.length, 3);
  ok(left.findings.some(({ object }) => object === filled));
  strictEqual(readFileSync(join(data, "rows"), "utf8"), "of a base");
  for (const file of files) strictEqual(readFileSync(file, "utf8"), "somebody's");
});

test("repair: a damaged index of a layer goes, and the layer stays; the next mount makes another", async () => {
  using scratch = new Scratch();
  const store = await twoImages(scratch);
  const { chain } = await store.resolve("a");
  const [chainId] = chain;
  ok(chainId !== undefined);
  const path = store.layers.indexPath(chainId);
  const whole = readFileSync(path);
  truncateSync(path, whole.length - 8);
  const found = (await store.check()).findings.map(({ kind, object }) => [kind, object]);
  deepStrictEqual(found, [["index", chainId]]);
  const { removed, left } = await repair(store);
  deepStrictEqual(removed, [{ kind: "index", name: chainId }]);
  deepStrictEqual(left.findings, []);
  strictEqual(existsSync(path), false);
  strictEqual(existsSync(join(store.layers.path(chainId), "dir/base")), true);
  await store.layers.ensureIndex(chainId);
  deepStrictEqual(readFileSync(path).length, whole.length);
  deepStrictEqual((await store.check()).findings, []);
});
