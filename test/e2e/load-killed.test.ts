// kill -9 during load, again and again, each time a bit later.

import { deepStrictEqual, ok } from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Store } from "../../src/store/index.js";
import { bigArchive } from "../store/big-archive.js";
import { Child } from "../store/child-process.js";
import { addImage, pictureOf, Scratch, tarOf, writeTree } from "../store/fixture.js";

const KILLS = 12;

test(`load: killed ${KILLS} times, the store is as before or has the whole image`, {
  timeout: 120_000,
}, async () => {
  using scratch = new Scratch();
  const archive = await bigArchive(scratch);
  const store = await scratch.store();
  await addImage(store, "old:1", [tarOf(writeTree(scratch.join("old"), { old: "old" }))]);
  const before = pictureOf(store.root);
  const started = performance.now();
  {
    await using child = new Child("load", (await scratch.store("timed")).root, archive);
    await child.line("ready");
    await child.line("done");
  }
  const wholeMs = performance.now() - started;
  let whole = 0;
  for (let n = 0; n < KILLS; n++) {
    await using child = new Child("load", store.root, archive);
    await child.line("ready");
    await sleep((wholeMs * n) / KILLS);
    await child.kill();
    const after = await Store.open(store.root);
    deepStrictEqual((await after.check()).findings, []);
    const names = (await after.images()).flatMap((image) => image.names).sort();
    if (names.includes("big:1")) {
      whole += 1;
      await after.unpack(await after.resolve("big:1"));
      await after.references.deleteImage((await after.resolve("big:1")).descriptor.digest);
    } else deepStrictEqual(names, ["old:1"]);
    await after.collectGarbage({ waitMs: 5000 });
    deepStrictEqual(pictureOf(store.root), before, `after kill ${n}`);
    deepStrictEqual(readdirSync(`${store.root}/tmp`), []);
  }
  ok(whole < KILLS, "some kills came before the end");
});
