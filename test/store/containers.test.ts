// Containers: names, removal, and whether they are mounted, which only the kernel knows.

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { openDirectoryUpper } from "../../src/layer/index.js";
import { bytesOf } from "../../src/path.js";
import type { Container, Store } from "../../src/store/index.js";
import { isMountPoint, processStartTime } from "../../src/store/mount-state.js";
import { addImage, Scratch, tarOf, writeTree } from "./fixture.js";

async function containerIn(scratch: Scratch, name?: string): Promise<[Store, Container]> {
  const store = await scratch.store();
  const tree = writeTree(scratch.join("tree"), { f: "1" });
  chmodSync(tree, 0o750);
  utimesSync(tree, 1_500_000_000.25, 1_500_000_000.25);
  await addImage(store, "a:1", [tarOf(tree)]);
  const image = await store.resolve("a:1");
  const named = name === undefined ? {} : { name };
  return [store, await store.containers.create({ image, imageName: "a:1", ...named })];
}

test("ContainerStore: makes, finds, renames and removes containers", async () => {
  using scratch = new Scratch();
  const [store, container] = await containerIn(scratch, "web");
  const { containers } = store;
  const image = await store.resolve("a:1");
  for (const text of ["web", container.id, container.id.slice(0, 8)]) {
    strictEqual((await containers.get(text)).id, container.id);
  }
  const { manifest, ...rest } = await containers.get("web");
  deepStrictEqual({ ...rest, manifest: container.manifest }, container);
  strictEqual(manifest.digest, image.descriptor.digest);
  await rejects(containers.create({ image, imageName: "a", name: "web" }), {
    code: "ALREADY_EXISTS",
  });
  await rejects(containers.create({ image, imageName: "a", name: "/../x" }), {
    code: "INVALID_ARGUMENT",
  });
  await rejects(containers.get("nothing"), { code: "NOT_FOUND" });
  await containers.rename(container, "web2");
  strictEqual((await containers.get("web2")).id, container.id);
  const other = await containers.create({ image, imageName: "a:1" });
  strictEqual(other.name, other.id.slice(0, 12));
  deepStrictEqual(
    (await containers.list()).map(({ id }) => id).sort(),
    [container.id, other.id].sort(),
  );
  await containers.remove(container.id);
  await rejects(containers.get("web2"), { code: "NOT_FOUND" });
  await rejects(containers.remove(container.id), { code: "NOT_FOUND" });
  deepStrictEqual(readdirSync(`${store.root}/tmp`), []);
});

test("ContainerStore.create: the upper's root is as the image's", async () => {
  using scratch = new Scratch();
  const [store, container] = await containerIn(scratch);
  const upper = statSync(store.uppers.paths(container.upper).diff, { bigint: true });
  deepStrictEqual([upper.mode & 0o7777n, upper.mtimeNs], [0o750n, 1_500_000_000_250_000_000n]);
});

test("ContainerStore.remove: refused while somebody holds the container's or its upper's lock", async () => {
  using scratch = new Scratch();
  const [store, { id, upper }] = await containerIn(scratch);
  const lock = await store.containers.lock(id).acquire("exclusive");
  await rejects(store.containers.remove(id), { code: "IN_USE" });
  await lock.release();
  const { diff, work } = store.uppers.paths(upper);
  const served = openDirectoryUpper(diff, work);
  await rejects(store.containers.remove(id), { code: "IN_USE" });
  served.close();
  await store.containers.remove(id);
  ok(!existsSync(store.containers.paths(id).home));
  deepStrictEqual(await store.uppers.list(), []);
});

test("ContainerStore.mountState: believes the kernel, not its file", async () => {
  using scratch = new Scratch();
  const [store, { id }] = await containerIn(scratch);
  strictEqual(await store.containers.mountState(id), undefined);
  const sleeper = spawn("sleep", ["100"]);
  const pid = sleeper.pid ?? 0;
  try {
    await store.containers.setMounted(id, { target: scratch.join("mnt"), pid });
    // The process lives, but nothing is mounted there.
    strictEqual(await store.containers.mountState(id), undefined);
    const started = await processStartTime(pid);
    ok(started !== undefined && (await processStartTime(pid)) === started);
  } finally {
    sleeper.kill("SIGKILL");
    await new Promise((resolve) => sleeper.once("close", resolve));
  }
  strictEqual(await processStartTime(pid), undefined);
  await store.containers.clearMounted(id);
  strictEqual(await store.containers.mountState(id), undefined);
});

test("isMountPoint: reads mountinfo's escapes, and the topmost mount", () => {
  const line = (target: string, type: string): string =>
    `36 35 98:0 / ${target} rw,noatime master:1 - ${type} strata rw\n`;
  const target = bytesOf("/mnt/a b\\c");
  const escaped = "/mnt/a\\040b\\134c";
  ok(isMountPoint(line(escaped, "fuse.strata"), target));
  ok(isMountPoint(line(escaped, "ext4") + line(escaped, "fuse"), target));
  ok(!isMountPoint(line(escaped, "fuse.strata") + line(escaped, "ext4"), target));
  ok(!isMountPoint(line("/mnt/a", "fuse.strata"), target));
});

test("ContainerStore.get: a damaged record is reported, not skipped", async () => {
  using scratch = new Scratch();
  const [store, { id }] = await containerIn(scratch);
  writeFileSync(`${store.containers.paths(id).home}/container.json`, "{");
  await rejects(store.containers.get(id), { code: "DATA_LOSS" });
});

test("ContainerStore: one damaged record hides that container only, and keeps what all may need", async () => {
  using scratch = new Scratch();
  const [store, broken] = await containerIn(scratch);
  const image = await store.resolve((await store.images())[0]?.id ?? "");
  const whole = await store.containers.create({ image, imageName: "x", name: "whole" });
  for (const damage of ["{", "{}", undefined]) {
    const record = `${store.containers.paths(broken.id).home}/container.json`;
    if (damage === undefined) rmSync(record);
    else writeFileSync(record, damage);
    deepStrictEqual(
      (await store.containers.list()).map(({ id }) => id),
      [whole.id],
    );
    deepStrictEqual([...(await store.containers.damaged()).keys()], [broken.id]);
    const { findings } = await store.check();
    deepStrictEqual(
      findings.map(({ kind, object }) => [kind, object]),
      [["container", broken.id]],
    );
  }
  // The image goes, and "whole" goes: what "broken" stands on is not known, so nothing is collected.
  for (const { digest } of image.manifests) await store.references.deleteImage(digest);
  await store.containers.remove(whole.id);
  deepStrictEqual((await store.collectGarbage()).removed, []);
  await store.containers.remove(broken.id);
  strictEqual((await store.collectGarbage()).removed.length > 0, true);
});
