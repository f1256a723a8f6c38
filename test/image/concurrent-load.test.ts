// Two loads at once: both images are there, whole.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { bigArchive } from "../store/big-archive.js";
import { Child } from "../store/child-process.js";
import { Scratch, tarOf, writeTree } from "../store/fixture.js";
import { archiveOf, dockerMembers } from "./archives.js";

test("load: two processes load the same and another image at once", async () => {
  using scratch = new Scratch();
  const archive = await bigArchive(scratch);
  const small = tarOf(writeTree(scratch.join("small"), { s: "s" }));
  writeFileSync(scratch.join("small.tar"), await archiveOf(dockerMembers([small], ["small:1"])));
  const store = await scratch.store();
  await using one = new Child("load", store.root, archive);
  await using two = new Child("load", store.root, archive);
  await using three = new Child("load", store.root, scratch.join("small.tar"));
  await Promise.all([one.line("done"), two.line("done"), three.line("done")]);
  const names = (await store.images()).flatMap((image) => image.names).sort();
  deepStrictEqual(names, ["big:1", "small:1"]);
  deepStrictEqual((await store.check()).findings, []);
  strictEqual((await store.collectGarbage({ waitMs: 5000 })).removed.length, 0);
});
