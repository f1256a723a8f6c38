// skopeo and umoci read what we save, and the store itself; what they unpack is what we mount, with
// every attribute; what they write is loaded with the image ID that they say it has.

import { deepStrictEqual, equal, match, notEqual } from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing, needsRoot, run } from "./run-program.js";
import { changeSampleRoot } from "./sample-changes.js";
import { copyTree, makeSampleRoot, packTree } from "./sample-root.js";
import { expectSound, shownImages } from "./sound-store.js";
import { expectEqualTrees, listTree, type TreeListing, withoutTime } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const options = {
  skip: needsRoot || missing("skopeo", "umoci", "setcap", "setfattr"),
  timeout: 300_000,
};

/** An image of two layers, "app:2", and the tree that was committed as it. */
async function makeImage(place: Workplace): Promise<TreeListing> {
  const root = place.directory("root");
  await makeSampleRoot(root);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", "-c", 'CMD ["/bin/hello"]', place.at("root.tar"), "app:1");
  const target = await place.mount("app:1", "app", "--name", "app");
  await changeSampleRoot(target);
  const merged = await listTree(target);
  await place.strata("commit", "-m", "changes", "-a", "tester", "app", "app:2");
  await place.strata("unmount", "app");
  return merged;
}

interface SkopeoImage {
  readonly Layers: readonly string[];
  readonly Architecture: string;
  readonly Created: string;
}

async function skopeoInspect(name: string): Promise<SkopeoImage> {
  return JSON.parse(await run("skopeo", ["inspect", name])) as SkopeoImage;
}

interface Inspected {
  readonly Id: string;
  readonly Created: string;
  readonly RootFS: { readonly Layers: readonly string[] };
}

async function strataInspect(place: Workplace, name: string): Promise<Inspected> {
  const [found] = JSON.parse(await place.strata("inspect", name)) as [Inspected];
  return found;
}

/** Unpacks with umoci; the tree of it. */
async function umociTree(place: Workplace, image: string, bundle: string): Promise<TreeListing> {
  await run("umoci", ["unpack", "--image", image, place.at(bundle)]);
  return await listTree(place.at(join(bundle, "rootfs")));
}

test("changes in a mount: as in a plain directory", options, async () => {
  await using place = new Workplace();
  const merged = await makeImage(place);
  const plain = place.at("plain");
  await copyTree(place.at("root"), plain);
  await changeSampleRoot(plain);
  expectEqualTrees(await listTree(plain), merged, "plain directory and mount", withoutTime);
});

test("save, store: skopeo inspects every form", options, async () => {
  await using place = new Workplace();
  await makeImage(place);
  const ours = await strataInspect(place, "app:2");
  equal(ours.RootFS.Layers.length, 2);
  const sources = [`oci:${place.store}:app:2`];
  for (const format of ["docker", "oci"]) {
    const saved = place.at(`${format}.tar`);
    await place.strata("save", "--format", format, "-o", saved, "app:2");
    sources.push(`${format}-archive:${saved}`, `${format}-archive:${saved}:app:2`);
  }
  for (const source of sources) {
    const found = await skopeoInspect(source);
    deepStrictEqual([source, found.Layers], [source, ours.RootFS.Layers]);
    equal(Date.parse(found.Created), Date.parse(ours.Created));
    const config = await run("skopeo", ["inspect", "--config", "--raw", source]);
    deepStrictEqual((JSON.parse(config) as { config: { Cmd: string[] } }).config.Cmd, [
      "/bin/hello",
    ]);
  }
});

test("save: umoci unpacks the very tree that was mounted", options, async () => {
  await using place = new Workplace();
  const merged = await makeImage(place);
  const saved = place.at("saved.tar");
  await place.strata("save", "--format", "oci", "-o", saved, "app:2");
  const layout = place.at("layout");
  await run("skopeo", ["copy", `oci-archive:${saved}:app:2`, `oci:${layout}:two`]);
  const unpacked = await umociTree(place, `${layout}:two`, "bundle");
  expectEqualTrees(merged, unpacked, "mount and umoci's tree");
});

test("load: what skopeo wrote has the image ID that it had", options, async () => {
  await using place = new Workplace();
  await makeImage(place);
  const { Id: id } = await strataInspect(place, "app:2");
  const source = `oci:${place.store}:app:2`;
  const copies: readonly (readonly [string, string])[] = [
    ["copy.tar", `oci-archive:${place.at("copy.tar")}:copy:1`],
    ["layout", `oci:${place.at("layout")}:copy:1`],
  ];
  for (const [file, destination] of copies) {
    await run("skopeo", ["copy", source, destination]);
    await using other = new Workplace();
    match(await other.strata("load", "-i", place.at(file)), /^Loaded image: copy:1$/);
    deepStrictEqual(await shownImages(other), [`${id} copy:1`]);
    await expectSound(other);
  }
});

test(
  "load: docker archives that skopeo wrote out of docker archives keep the image ID",
  options,
  async () => {
    await using place = new Workplace();
    await makeImage(place);
    const saved = place.at("saved.tar");
    await place.strata("save", "-o", saved, "app:2");
    const copy = place.at("copy.tar");
    await run("skopeo", ["copy", `docker-archive:${saved}`, `docker-archive:${copy}:copy:1`]);
    const config = await run("skopeo", ["inspect", "--config", "--raw", `docker-archive:${copy}`]);
    const digest = await run("sha256sum", [], { input: Buffer.from(config) });
    await using other = new Workplace();
    await other.strata("load", "-i", copy);
    deepStrictEqual(await shownImages(other), [`sha256:${digest.slice(0, 64)} copy:1`]);
    equal((await strataInspect(other, "copy:1")).Id, (await strataInspect(place, "app:2")).Id);
  },
);

test("load: an image that umoci repacked shows umoci's tree", options, async () => {
  await using place = new Workplace();
  await makeImage(place);
  const layout = place.at("layout");
  await run("skopeo", ["copy", `oci:${place.store}:app:2`, `oci:${layout}:two`]);
  await run("umoci", ["unpack", "--image", `${layout}:two`, place.at("bundle")]);
  const rootfs = place.at("bundle/rootfs");
  await run(
    "sh",
    ["-c", "rm -r usr/share; mkdir usr/share; echo more >usr/share/more; rm bin/hello"],
    {
      cwd: rootfs,
    },
  );
  await run("umoci", ["repack", "--image", `${layout}:three`, place.at("bundle")]);
  const manifest = await run("skopeo", ["inspect", "--raw", `oci:${layout}:three`]);
  const { config } = JSON.parse(manifest) as { config: { digest: string } };
  // Only that image: `load` takes all that a layout has.
  const single = place.at("single");
  mkdirSync(single);
  await run("skopeo", ["copy", `oci:${layout}:three`, `oci:${single}:repacked`]);
  await place.strata("load", "-i", single);
  notEqual((await shownImages(place)).indexOf(`${config.digest} repacked:latest`), -1);
  const target = await place.mount("repacked", "repacked", "--read-only");
  expectEqualTrees(
    await umociTree(place, `${layout}:three`, "again"),
    await listTree(target),
    "umoci's tree and mount",
  );
});
