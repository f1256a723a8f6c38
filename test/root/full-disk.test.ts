// A full disk: the load fails with ENOSPC, the store is as before and goes on working.

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { isFsError } from "../../src/errors.js";
import { importRootfs, load } from "../../src/image/index.js";
import { parseReference } from "../../src/oci/index.js";
import { Store } from "../../src/store/index.js";
import { archiveOf, dockerMembers } from "../image/archives.js";
import {
  addImage,
  chunksOf,
  lacking,
  pictureOf,
  Scratch,
  tarOf,
  writeTree,
} from "../store/fixture.js";

const skip =
  process.geteuid?.() === 0 ? lacking("mkfs.ext4", "mount", "umount") : "needs root to mount";

/** An ext4 of 16 MB in a file, mounted below a scratch directory. */
class SmallDisk implements Disposable {
  readonly #scratch = new Scratch();
  readonly path = this.#scratch.join("mnt");

  constructor() {
    const image = this.#scratch.join("disk");
    writeFileSync(image, "");
    execFileSync("truncate", ["-s", "16M", image]);
    execFileSync("mkfs.ext4", ["-q", "-F", "-m0", image]);
    mkdirSync(this.path);
    execFileSync("mount", ["-o", "loop", image, this.path]);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", [this.path]);
    this.#scratch[Symbol.dispose]();
  }
}

function isDiskFull(error: unknown): boolean {
  return isFsError(error) && error.code === "ENOSPC";
}

test("load, importRootfs: a full disk leaves the store as it was", {
  skip,
  timeout: 60_000,
}, async () => {
  using disk = new SmallDisk();
  using scratch = new Scratch();
  const store = await Store.open(`${disk.path}/store`);
  await addImage(store, "old:1", [tarOf(writeTree(scratch.join("old"), { old: "old" }))]);
  const before = pictureOf(store.root);
  const free = statfsSync(disk.path).bavail;
  const reference = parseReference("big:1");
  // Blobs that do not fit; and a blob that fits, but not unpacked besides.
  for (const sizeBytes of [20_000_000, 8_000_000]) {
    writeTree(scratch.join("big"), {});
    writeFileSync(scratch.join("big", "f"), randomBytes(sizeBytes));
    const layer = tarOf(scratch.join("big"));
    await rejects(load(chunksOf(await archiveOf(dockerMembers([layer]))), store), isDiskFull);
    deepStrictEqual(pictureOf(store.root), before);
    await rejects(importRootfs(chunksOf(layer), store, { reference }), isDiskFull);
    deepStrictEqual([pictureOf(store.root), readdirSync(`${store.root}/tmp`)], [before, []]);
  }
  strictEqual(statfsSync(disk.path).bavail, free);
  rmSync(scratch.join("big", "f"));
  writeTree(scratch.join("big"), { f: "small" });
  await importRootfs(chunksOf(tarOf(scratch.join("big"))), store, { reference });
  deepStrictEqual((await store.check()).findings, []);
});
