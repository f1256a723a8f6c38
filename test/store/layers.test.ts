// Unpacked layers: shared, whole, checked against the diff ID; and opening a store.

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type DiffId, digestOf } from "../../src/digest.js";
import { defaultRoot, Store } from "../../src/store/index.js";
import { Child } from "./child-process.js";
import { addImage, chunksOf, pictureOf, Scratch, tarOf, writeTree } from "./fixture.js";

test("LayerStore.ensure: unpacks once, from any packing, and checks the diff ID", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  const archive = tarOf(writeTree(scratch.join("1"), { "d/f": "text" }));
  const diffIds = [digestOf(archive) as DiffId];
  const before = pictureOf(store.root);
  const wrong = [digestOf("other") as DiffId];
  const open = (): AsyncIterable<Uint8Array> => chunksOf(gzipSync(archive));
  await rejects(store.layers.ensure({ diffIds: wrong, open }), { code: "DATA_LOSS" });
  const cut = (): AsyncIterable<Uint8Array> => chunksOf(archive.subarray(0, 1500));
  await rejects(store.layers.ensure({ diffIds, open: cut }), { code: "DATA_LOSS" });
  deepStrictEqual([pictureOf(store.root), readdirSync(`${store.root}/tmp`)], [before, []]);

  const done: number[] = [];
  const progress = (bytes: number): void => void done.push(bytes);
  const path = await store.layers.ensure({ diffIds, open, progress });
  strictEqual(readFileSync(`${path}/d/f`, "utf8"), "text");
  strictEqual(done.at(-1), archive.length);
  const never = (): never => {
    throw new Error("opened again");
  };
  strictEqual(await store.layers.ensure({ diffIds, open: never }), path);
  const info = await store.layers.info(
    digestOf(archive) as Parameters<typeof store.layers.info>[0],
  );
  strictEqual(info?.sizeBytes, archive.length);
});

test("LayerStore.ensure: a directory that is only implied is as in the layers below", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  const base = writeTree(scratch.join("base"), { "d/e/f": "1" });
  mkdirSync(`${base}/d/e`, { recursive: true });
  const lower = tarOf(base);
  writeTree(scratch.join("top"), { "d/e/g": "2", "n/x": "3" });
  await addImage(store, "a", [lower, tarOf(scratch.join("top"), "d/e/g", "n/x")]);
  const [below = "", above = ""] = await store.unpack(await store.resolve("a"));
  for (const name of ["", "/d", "/d/e"]) {
    const [one, two] = [below, above].map((tree) => statSync(`${tree}${name}`, { bigint: true }));
    deepStrictEqual([two?.mode, two?.uid, two?.mtimeNs], [one?.mode, one?.uid, one?.mtimeNs], name);
  }
  strictEqual(statSync(`${above}/n`).mtimeMs, 0);
});

test("Store.unpack: two processes at once make one whole layer", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  const files = Object.fromEntries(
    Array.from({ length: 500 }, (_, n) => [`d${n % 7}/f${n}`, `${n}`]),
  );
  await addImage(store, "a", [tarOf(writeTree(scratch.join("1"), files))]);
  const whole = pictureOf(store.root);
  const image = await store.resolve("a");
  await using lock = await store.lock.acquire("exclusive");
  for (const chainId of image.chain) await store.layers.delete(chainId);
  await lock.release();
  await using one = new Child("unpack", store.root, "a");
  await using two = new Child("unpack", store.root, "a");
  await Promise.all([one.line("done"), two.line("done")]);
  const picture = pictureOf(store.root);
  deepStrictEqual([...picture.keys()], [...whole.keys()]);
  deepStrictEqual((await store.check()).findings, []);
  deepStrictEqual(readdirSync(`${store.root}/tmp`), []);
});

test("Store.open: makes a store, also twice at once; refuses what is none", async () => {
  using scratch = new Scratch();
  const root = scratch.join("deep", "er", "store");
  await Promise.all([Store.open(root), Store.open(root), Store.open(root)]);
  strictEqual(statSync(root).mode & 0o777, 0o700);
  deepStrictEqual(
    [JSON.parse(readFileSync(`${root}/oci-layout`, "utf8")), readdirSync(`${root}/tmp`)],
    [{ imageLayoutVersion: "1.0.0" }, []],
  );
  writeTree(scratch.join("home"), { "my file": "precious" });
  await rejects(Store.open(scratch.join("home")), { code: "INVALID_ARGUMENT" });
  deepStrictEqual(readdirSync(scratch.join("home")), ["my file"]);
  writeFileSync(`${root}/oci-layout`, '{"imageLayoutVersion":"2.0.0"}');
  await rejects(Store.open(root), { code: "UNSUPPORTED" });
  writeFileSync(scratch.join("file"), "");
  await rejects(Store.open(scratch.join("file")), { name: "FsError" });
});

test("defaultRoot: STRATA_ROOT, else the user's or the system's place", () => {
  strictEqual(defaultRoot({ STRATA_ROOT: "/a/b/../c" }), "/a/c");
  const root = process.geteuid?.() === 0;
  strictEqual(
    defaultRoot({ XDG_DATA_HOME: "/data", HOME: "/h" }),
    root ? "/var/lib/strata" : "/data/strata",
  );
  strictEqual(
    defaultRoot({ XDG_DATA_HOME: "relative", HOME: "/h" }),
    root ? "/var/lib/strata" : "/h/.local/share/strata",
  );
});
