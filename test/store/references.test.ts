// Names: index.json as other tools see it, dangling images, and writers at once.

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { hexOf } from "../../src/digest.js";
import { familiarReference, parseReference } from "../../src/oci/index.js";
import type { Store } from "../../src/store/index.js";
import { Child } from "./child-process.js";
import { addImage, lacking, Scratch, tarOf, writeTree } from "./fixture.js";

async function entriesOf(store: Store): Promise<string[]> {
  const entries = await store.references.list();
  return entries.map(
    ({ reference, descriptor }) =>
      `${reference === undefined ? "<none>" : familiarReference(reference)} ${descriptor.digest}`,
  );
}

test("ReferenceStore: a name moves; the image that loses its last name stays without one", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  const one = await addImage(store, "a:1", [tarOf(writeTree(scratch.join("1"), { f: "1" }))]);
  const two = await addImage(store, "a:2", [tarOf(writeTree(scratch.join("2"), { f: "2" }))]);
  const name = parseReference("a:1");
  await store.references.set(name, two);
  deepStrictEqual(await entriesOf(store), [
    `a:2 ${two.digest}`,
    `<none> ${one.digest}`,
    `a:1 ${two.digest}`,
  ]);
  strictEqual((await store.references.get(name))?.digest, two.digest);
  await store.references.keep(two);
  await store.references.set(parseReference("docker.io/library/b"), one);
  deepStrictEqual(await entriesOf(store), [
    `a:2 ${two.digest}`,
    `a:1 ${two.digest}`,
    `b:latest ${one.digest}`,
  ]);
  strictEqual((await store.references.delete(parseReference("b")))?.digest, one.digest);
  strictEqual(await store.references.delete(parseReference("b")), undefined);
  await store.references.delete(parseReference("a:1"), { keepImage: true });
  await store.references.delete(parseReference("a:2"), { keepImage: true });
  deepStrictEqual(await entriesOf(store), [`<none> ${two.digest}`]);
  strictEqual((await store.references.deleteImage(two.digest)).length, 1);
  deepStrictEqual(await entriesOf(store), []);
});

test("ReferenceStore: fields and entries of other tools stay", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  const path = `${store.root}/index.json`;
  const foreign = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: `sha256:${"ab".repeat(32)}`,
    size: 7,
    urls: ["https://a.b"],
    annotations: { "org.opencontainers.image.ref.name": "Free Text", x: "y" },
  };
  writeFileSync(
    path,
    JSON.stringify({ schemaVersion: 2, annotations: { k: "v" }, manifests: [foreign] }),
  );
  await addImage(store, "a", [tarOf(writeTree(scratch.join("1"), { f: "1" }))]);
  const index = JSON.parse(readFileSync(path, "utf8")) as {
    annotations: unknown;
    manifests: unknown[];
  };
  deepStrictEqual([index.annotations, index.manifests[0]], [{ k: "v" }, foreign]);
});

test("ReferenceStore: two processes that set names lose none", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  await addImage(store, "a:0", [tarOf(writeTree(scratch.join("1"), { f: "1" }))]);
  const names = (letter: string): string[] =>
    Array.from({ length: 20 }, (_, n) => `${letter}:${n}`);
  await using one = new Child("tag", store.root, "a:0", ...names("b"));
  await using two = new Child("tag", store.root, "a:0", ...names("c"));
  await Promise.all([one.line("done"), two.line("done")]);
  const found = (await store.resolve("a:0")).names;
  deepStrictEqual([...found].sort(), ["a:0", ...names("b"), ...names("c")].sort());
});

test("Store.resolve: by name, ID, start of an ID, manifest digest", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  const descriptor = await addImage(store, "debian:12", [
    tarOf(writeTree(scratch.join("1"), { f: "1" })),
  ]);
  const { id } = await store.resolve("debian:12");
  const texts = [
    ...["docker.io/library/debian:12", id, hexOf(id), hexOf(id).slice(0, 12), id.slice(0, 15)],
    ...[descriptor.digest, `debian@${descriptor.digest}`],
  ];
  for (const text of texts) strictEqual((await store.resolve(text)).id, id, text);
  for (const text of ["debian", "debian:1", "sha256:0000000", "ffff".repeat(16)]) {
    await rejects(store.resolve(text), { code: "NOT_FOUND" }, text);
  }
  await rejects(store.resolve("A B"), { code: "INVALID_ARGUMENT" });
});

test("Store: skopeo and umoci read it in place", { skip: lacking("skopeo", "umoci") }, async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  const { digest } = await addImage(store, "debian:12", [
    tarOf(writeTree(scratch.join("1"), { "etc/f": "1" })),
  ]);
  const inspected = JSON.parse(
    execFileSync("skopeo", ["inspect", `oci:${store.root}:debian:12`], { encoding: "utf8" }),
  ) as { Digest: string };
  strictEqual(inspected.Digest, digest);
  const args = ["unpack", "--rootless", "--image", `${store.root}:debian:12`, scratch.join("out")];
  execFileSync("umoci", args, { stdio: "pipe" });
  strictEqual(readFileSync(scratch.join("out", "rootfs", "etc", "f"), "utf8"), "1");
});
