// Mounted, dead, or not mounted: told from real FUSE mounts whose process is killed. Nobody serves
// these mounts, so nothing here may touch them; the mount tables may be read.

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { bytesOf } from "../../src/path.js";
import { features, MNT_DETACH, umount2 } from "../../src/sys/index.js";
import { Child } from "../store/child-process.js";
import { addImage, Scratch, tarOf, writeTree } from "../store/fixture.js";

const { mount, fuseDevice } = features();
const skip = mount && fuseDevice ? false : "needs the right to mount, and /dev/fuse";

test("ContainerStore.mountState: follows the mount process and the mount table", {
  skip,
  timeout: 30_000,
}, async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  await addImage(store, "a", [tarOf(writeTree(scratch.join("1"), { f: "1" }))]);
  const image = await store.resolve("a");
  const { id } = await store.containers.create({ image, imageName: "a" });
  const target = scratch.join("mount point");
  mkdirSync(target);
  let mounted = false;
  await using child = new Child("fuse", store.root, target);
  try {
    await child.line("ready");
    mounted = true;
    const { pid } = child;
    await store.containers.setMounted(id, { target, pid });
    deepStrictEqual(await store.containers.mountState(id), { target, pid, state: "mounted" });
    await rejects(store.containers.remove(id), { code: "IN_USE" });
    await child.kill();
    deepStrictEqual(await store.containers.mountState(id), { target, pid, state: "dead" });
    await rejects(store.containers.remove(id), { code: "IN_USE" });
    umount2(bytesOf(target), MNT_DETACH);
    mounted = false;
    strictEqual(await store.containers.mountState(id), undefined);
    await store.containers.remove(id);
  } finally {
    await child.kill();
    if (mounted) umount2(bytesOf(target), MNT_DETACH);
  }
});
