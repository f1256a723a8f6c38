// A whole store inside a writable mount of another one: images come, are mounted, changed, committed and
// removed there as on a plain disk. It is still sound after the outer mount was gone for a while, and in
// the image that is made of the outer container.

import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { RegistryServer } from "../registry/server/registry-server.js";
import { missing, needsRoot, run } from "./run-program.js";
import { makeSampleRoot, packTree } from "./sample-root.js";
import { freshSeed } from "./seeded-random.js";
import { expectSound, keptInStore, shownImages } from "./sound-store.js";
import { expectEqualTrees, listTree, type TreeListing, withoutLinkCount } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const CHANGES = 60;
/** A device 0:0, `.wh.` names, overlay's xattrs. */
const MARKS = `
  mkdir .wh.mark mark; echo x >.wh.mark/.wh.x; echo >mark/.wh..wh..opq; mknod mark-device c 0 0
  setfattr -n trusted.overlay.opaque -v y mark`;
const program = fileURLToPath(new URL("./random-changes.js", import.meta.url));

/** One look at an image of the inner store. */
async function look(inner: Workplace, name: string, as: string): Promise<TreeListing> {
  const target = await inner.mount(name, as, "--read-only", "--name", as);
  const listing = await listTree(target);
  await inner.strata("rm", "-f", as);
  return listing;
}

/** The same image by three ways: pulled, loaded and imported. */
async function fill(outer: Workplace, inner: Workplace, sample: TreeListing): Promise<void> {
  await using registry = await RegistryServer.start(outer.at("registry"));
  const pulled = `${registry.domain}/sample:1`;
  await outer.strata("tag", "sample", pulled);
  await outer.strata("push", "-q", pulled);
  await outer.strata("save", "-o", outer.at("sample.archive"), "sample");
  await inner.strata("pull", "-q", pulled);
  await inner.strata("tag", pulled, "pulled");
  await inner.strata("rmi", pulled);
  await inner.strata("load", "-q", "-i", outer.at("sample.archive"));
  await inner.strata("import", outer.at("root.tar"), "imported");
  for (const name of ["pulled", "sample", "imported"]) {
    expectEqualTrees(sample, await look(inner, name, `${name}-look`), `the image ${name}`);
  }
}

test("a store inside a mount: pull, load, import, mount, change, commit, rmi, prune", {
  skip: needsRoot || missing("docker-registry", "setcap", "setfattr", "umount"),
  timeout: 240_000,
}, async (t) => {
  const seed = freshSeed();
  t.diagnostic(`STRATA_TEST_SEED=${seed}`);
  await using outer = new Workplace();
  const root = outer.directory("root");
  await makeSampleRoot(root);
  await packTree(root, outer.at("root.tar"));
  await outer.strata("import", outer.at("root.tar"), "sample");
  const sample = await listTree(root);
  const target = await outer.mount("sample", "outer", "--name", "outer");
  let kept: Record<string, unknown> = {};
  let merged: TreeListing = new Map();
  {
    await using inner = new Workplace(join(target, "srv/store"));
    await run("mkdir", ["-p", inner.store]);
    await fill(outer, inner, sample);

    const changed = await inner.mount("pulled", "changed", "--name", "changed");
    await run(process.execPath, [program, changed, String(seed), String(CHANGES)]);
    // What would hide others in an upper or an archive, as whoever nests other unions makes it.
    await run("sh", ["-ec", MARKS], { cwd: changed });
    merged = await listTree(changed);
    equal([...merged.keys()].filter((path) => path.includes("mark")).length, 5);
    await inner.strata("commit", "changed", "changed:1");
    expectEqualTrees(merged, await listTree(changed), "the inner mount after a commit");
    await inner.strata("unmount", changed);
    const committed = await look(inner, "changed:1", "committed");
    expectEqualTrees(merged, committed, "the inner image", withoutLinkCount);
    const again = await inner.mount("changed", "again");
    expectEqualTrees(merged, await listTree(again), "the inner container, mounted again");
    await inner.strata("rm", "-f", "changed");
    await inner.strata("rmi", "imported", "sample");
    deepStrictEqual((await shownImages(inner)).map((line) => line.replace(/.* /, "")).sort(), [
      "changed:1",
      "pulled:latest",
    ]);
    await expectSound(inner);
    kept = await keptInStore(inner);
    await outer.strata("commit", "outer", "with-store");
  }
  await outer.strata("unmount", target);
  equal(existsSync(join(target, "srv/store")), false);

  for (const name of ["outer", "with-store"]) {
    const options = name === "outer" ? [] : ["--name", "copy"];
    const mounted = await outer.mount(name, `${name}-again`, ...options);
    {
      await using inner = new Workplace(join(mounted, "srv/store"));
      await expectSound(inner);
      deepStrictEqual(await keptInStore(inner), kept, `the store in ${name}`);
      const shown = await look(inner, "changed:1", "shown");
      expectEqualTrees(merged, shown, `the inner image in ${name}`, withoutLinkCount);
      ok((await inner.strata("rmi", "changed:1", "pulled")).includes("Untagged: changed:1"));
      await inner.strata("prune");
      await expectSound(inner);
    }
    await outer.strata("unmount", mounted);
  }
  await expectSound(outer);
});
