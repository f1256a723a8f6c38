// Garbage collection takes what nothing needs and nothing else; check finds what is damaged.

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { hexOf } from "../../src/digest.js";
import { parseReference } from "../../src/oci/index.js";
import { Child } from "./child-process.js";
import { addImage, pictureOf, Scratch, tarOf, writeTree } from "./fixture.js";

function layersOf(scratch: Scratch, ...names: readonly string[]): Buffer[] {
  return names.map((name) => tarOf(writeTree(scratch.join(name), { [name]: name })));
}

test("Store.collectGarbage: keeps what names and containers need", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  const [base, top, other] = layersOf(scratch, "base", "top", "other");
  ok(base !== undefined && top !== undefined && other !== undefined);
  await addImage(store, "a", [base, top]);
  const before = pictureOf(store.root);
  // Shares the base, and goes.
  await addImage(store, "b", [base, other]);
  await store.references.delete(parseReference("b"));
  const dry = await store.collectGarbage({ dryRun: true });
  deepStrictEqual(dry.removed.map(({ kind }) => kind).sort(), ["blob", "blob", "blob", "layer"]);
  const { removed, sizeBytes } = await store.collectGarbage();
  deepStrictEqual(removed, dry.removed);
  ok(sizeBytes > 0);
  deepStrictEqual(pictureOf(store.root), before);
  // A container keeps its image without any name.
  const image = await store.resolve("a");
  const container = await store.containers.create({ image, imageName: "a" });
  await store.references.deleteImage(image.descriptor.digest);
  deepStrictEqual((await store.collectGarbage()).removed, []);
  await store.containers.remove(container.id);
  await store.collectGarbage();
  deepStrictEqual(
    [...pictureOf(store.root).keys()],
    ["blobs", "blobs/sha256", "containers", "index.json", "layers", "oci-layout", "tmp", "uppers"],
  );
});

test("Store.collectGarbage: takes leftovers of killed processes, waits for living ones", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  writeFileSync(`${store.root}/tmp/blob-1-x`, "half");
  mkdirSync(`${store.root}/tmp/layer-1-x/diff/deep`, { recursive: true, mode: 0o700 });
  {
    await using _lease = await store.lock.acquire("shared");
    await rejects(store.collectGarbage({ waitMs: 0 }), { code: "IN_USE" });
  }
  const { removed } = await store.collectGarbage();
  deepStrictEqual(removed.map(({ name }) => name).sort(), ["blob-1-x", "layer-1-x"]);
  await using held = await store.lock.acquire("exclusive");
  deepStrictEqual((await store.collectGarbage({ held })).removed, []);
});

test("Store.collectGarbage: leaves alone what another process is writing without the lock", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  await addImage(store, "a:0", layersOf(scratch, "base"));
  const names = Array.from({ length: 40 }, (_, n) => `b:${n}`);
  await using child = new Child("tag", store.root, "a:0", ...names);
  await child.line("ready");
  let done = false;
  const finished = child.line("done").finally(() => {
    done = true;
  });
  while (!done) await store.collectGarbage();
  await finished;
  deepStrictEqual((await store.resolve("a:0")).names.length, 1 + names.length);
});

test("Store.check: finds damaged and missing blobs, half layers, lost images", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  await addImage(store, "a", layersOf(scratch, "base", "top"));
  const image = await store.resolve("a");
  const container = await store.containers.create({ image, imageName: "a" });
  const sound = await store.check();
  deepStrictEqual(sound, {
    findings: [],
    doubtful: [],
    uncompared: [],
    blobs: 4,
    images: 1,
    layers: 2,
    containers: 1,
  });

  const [base, top] = image.manifest.layers;
  ok(base !== undefined && top !== undefined);
  truncateSync(store.blobs.path(base.digest), 1000);
  rmSync(store.blobs.path(top.digest));
  const [lower, upper] = image.chain.map(
    (chainId) => `${store.layers.directory}/${hexOf(chainId)}`,
  );
  rmSync(`${lower}/layer.json`);
  rmSync(`${upper}/diff`, { recursive: true });
  const found = (await store.check()).findings.map(({ kind, object }) => `${kind} ${object}`);
  deepStrictEqual(found.sort(), [
    `blob ${base.digest}`,
    `container ${container.id}`,
    "image a:latest",
    ...image.chain.map((chainId) => `layer ${chainId}`).sort(),
  ]);

  rmSync(store.blobs.path(image.descriptor.digest));
  const kinds = (await store.check()).findings.map(({ kind, object }) => `${kind} ${object}`);
  ok(kinds.includes(`container ${container.id}`));
  strictEqual((await store.images()).length, 0);
});
