// docker's rules for images: which are listed, what rmi and prune remove and refuse, in docker's words
// (moby daemon/images/image_delete.go, image_prune.go, images.go).

import { deepStrictEqual, rejects, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { type Digest, hexOf } from "../../src/digest.js";
import { withChanges } from "../../src/engine/config-changes.js";
import { parseTime } from "../../src/engine/filters.js";
import {
  containerPrune,
  diskUsage,
  history,
  imagePrune,
  images,
  inspect,
  prune,
  rmi,
  tag,
} from "../../src/engine/index.js";
import { layerDescriptor } from "../../src/image/changes.js";
import { appendLayer, putImage } from "../../src/image/index.js";
import {
  familiarReference,
  PARENT_IMAGE,
  parseReference,
  REGISTRY_DIGEST,
  withAnnotations,
} from "../../src/oci/index.js";
import type { Store } from "../../src/store/index.js";
import { addImage, Scratch, tarOf, writeTree } from "../store/fixture.js";

function archive(scratch: Scratch, name: string): Buffer {
  return tarOf(writeTree(scratch.join("trees", name), { [name]: name }));
}

/** As a commit on `base` makes it: one more layer, and the base as its parent. */
async function child(
  store: Store,
  scratch: Scratch,
  base: string,
  { name, changes = [] }: { readonly name: string; readonly changes?: readonly string[] },
): Promise<Digest> {
  const parent = await store.resolve(base);
  const blob = await store.blobs.putBytes(archive(scratch, name.replace(/\W/g, "-")));
  const image = withChanges(
    appendLayer(parent, {
      descriptor: layerDescriptor(blob),
      diffId: blob.digest as never,
      createdBy: `made ${name}`,
      created: new Date((parent.created?.getTime() ?? 0) + 60_000),
    }),
    changes,
  );
  const descriptor = withAnnotations(await putImage(store, image), { [PARENT_IMAGE]: parent.id });
  await store.references.set(parseReference(name), descriptor);
  await store.unpack(await store.image(descriptor));
  return (await store.resolve(name)).id;
}

async function sample(scratch: Scratch): Promise<{ store: Store; base: Digest }> {
  const store = await scratch.store();
  await addImage(store, "base:1", [archive(scratch, "base")]);
  return { store, base: (await store.resolve("base:1")).id };
}

async function listed(store: Store, request: Parameters<typeof images>[1] = {}): Promise<string[]> {
  return (await images(store, request)).map(({ reference }) =>
    reference === undefined ? "<none>" : familiarReference(reference),
  );
}

function short(id: string): string {
  return hexOf(id as Digest).slice(0, 12);
}

test("images: patterns, labels, before, since, until, dangling, -a", async () => {
  using scratch = new Scratch();
  const { store } = await sample(scratch);
  await tag(store, { image: "base:1", reference: "localhost:5000/team/base:2" });
  await child(store, scratch, "base:1", { name: "ubuntu:20", changes: ["LABEL tier=web os=u"] });
  await child(store, scratch, "ubuntu:20", { name: "ubiquity:1" });
  const all = ["ubiquity:1", "ubuntu:20", "base:1", "localhost:5000/team/base:2"];
  deepStrictEqual(await listed(store), all);
  const byPattern: Record<string, readonly string[]> = {
    "ub*": ["ubiquity:1", "ubuntu:20"],
    ubuntu: ["ubuntu:20"],
    "ubuntu:2?": ["ubuntu:20"],
    "ubuntu:1": [],
    "*:1": ["ubiquity:1", "base:1"],
    "docker.io/library/base": ["base:1"],
    // As Go's path.Match: a star ends at a slash.
    "*base": ["base:1"],
    "localhost:5000/*/base": ["localhost:5000/team/base:2"],
    "[ab]ase": ["base:1"],
  };
  for (const [filter, names] of Object.entries(byPattern)) {
    deepStrictEqual(await listed(store, { filter }), names, filter);
    deepStrictEqual(await listed(store, { filters: [`reference=${filter}`] }), names, filter);
  }
  deepStrictEqual(await listed(store, { filters: ["label=tier"] }), ["ubiquity:1", "ubuntu:20"]);
  deepStrictEqual(await listed(store, { filters: ["label=tier=db"] }), []);
  deepStrictEqual(await listed(store, { filters: ["before=ubuntu:20"] }), all.slice(2));
  deepStrictEqual(
    await listed(store, { filters: ["since=base:1", "label=os=u"] }),
    all.slice(0, 2),
  );
  deepStrictEqual(await listed(store, { filters: ["until=1h"] }), all);
  deepStrictEqual(await listed(store, { filters: ["until=2000-01-01"] }), []);

  // An untagged image that others were made from is inner: only -a shows it.
  await rmi(store, { image: "ubuntu:20" });
  deepStrictEqual(await listed(store), ["ubiquity:1", "base:1", "localhost:5000/team/base:2"]);
  strictEqual((await listed(store, { all: true })).includes("<none>"), true);
  deepStrictEqual(await listed(store, { filters: ["dangling=true"] }), []);
  await addImage(store, undefined, [archive(scratch, "nameless")]);
  deepStrictEqual(await listed(store, { filters: ["dangling=true"] }), ["<none>"]);
  strictEqual((await listed(store, { filters: ["dangling=0"] })).includes("<none>"), false);

  const refused: Record<string, string> = {
    foo: 'invalid argument "foo" for "-f, --filter" flag: bad format of filter (expected name=value)',
    "foo=bar": "invalid filter 'foo'",
    "dangling=maybe": "invalid filter 'dangling=maybe'",
    "before=none:1": "No such image: none:1",
    "reference=[": 'Cannot list "[": syntax error in pattern',
  };
  for (const [filter, message] of Object.entries(refused)) {
    await rejects(images(store, { filters: [filter] }), { message });
  }
});

test("history, inspect: an image knows the ones it was made from here", async () => {
  using scratch = new Scratch();
  const { store, base } = await sample(scratch);
  const middle = await child(store, scratch, "base:1", { name: "middle:1" });
  const top = await child(store, scratch, "middle:1", { name: "top:1" });
  deepStrictEqual(
    (await history(store, "top:1")).map(({ imageId, names }) => [imageId, ...names]),
    [
      [top, "top:1"],
      [middle, "middle:1"],
      [base, "base:1"],
    ],
  );
  const { type, value } = await inspect(store, { name: "top:1" });
  deepStrictEqual([type, value["Parent"], value["RepoDigests"]], ["image", middle, []]);
  // Pulled images come without: their steps are missing.
  await addImage(store, "pulled:1", [archive(scratch, "base"), archive(scratch, "other")]);
  deepStrictEqual(
    (await history(store, "pulled:1")).map(({ imageId }) => imageId === undefined),
    [false, true],
  );
  await rejects(inspect(store, { name: "none" }), { message: "No such object: none" });
  await rejects(inspect(store, { name: "none", type: "image" }), {
    message: "No such image: none",
  });
  await rejects(inspect(store, { name: "A B" }), { message: "No such object: A B" });
});

test("rmi: by name and by ID, with parents", async () => {
  using scratch = new Scratch();
  const { store, base } = await sample(scratch);
  const [baseLayer] = (await store.resolve("base:1")).chain;
  const middle = await child(store, scratch, "base:1", { name: "middle:1" });
  const top = await child(store, scratch, "middle:1", { name: "top:1" });
  const layers = (await store.resolve("top:1")).chain;
  await rejects(rmi(store, { image: short(middle) }), {
    code: "IN_USE",
    message: `conflict: unable to delete ${short(middle)} (cannot be forced) - image has dependent child images`,
  });
  await rejects(rmi(store, { image: middle, force: true }), /dependent child images/);
  // By name it only loses the name; its child takes it along.
  deepStrictEqual(await rmi(store, { image: "middle:1" }), { untagged: ["middle:1"], deleted: [] });
  deepStrictEqual(await rmi(store, { image: short(top) }), {
    untagged: ["top:1"],
    deleted: [top, layers[2], middle, layers[1]],
  });
  deepStrictEqual(await rmi(store, { image: "base:1" }), {
    untagged: ["base:1"],
    deleted: [base, baseLayer],
  });
  deepStrictEqual((await store.check()).blobs, 0);
  await rejects(rmi(store, { image: "base:1" }), { message: "No such image: base:1" });
});

test("rmi --no-prune: untagged parents stay, and are dangling then", async () => {
  using scratch = new Scratch();
  const { store, base } = await sample(scratch);
  const top = await child(store, scratch, "base:1", { name: "top:1" });
  await rmi(store, { image: "base:1" });
  const removed = await rmi(store, { image: "top:1", noPrune: true });
  deepStrictEqual(removed.deleted.slice(0, 1), [top]);
  strictEqual(removed.deleted.includes(base), false);
  deepStrictEqual(await listed(store), ["<none>"]);
});

test("rmi: several names are refused by ID without force; digests of the registry go with the last tag", async () => {
  using scratch = new Scratch();
  const { store, base } = await sample(scratch);
  const [layer] = (await store.resolve("base:1")).chain;
  const digest = `sha256:${"d".repeat(64)}`;
  const descriptor = await store.references.get(parseReference("base:1"));
  if (descriptor === undefined) throw new Error("base:1 is gone");
  const pulled = withAnnotations(descriptor, { [REGISTRY_DIGEST]: digest });
  await store.references.set(parseReference("base:1"), pulled);
  await store.references.set(parseReference("base:2"), pulled);
  await tag(store, { image: "base:1", reference: "other:1" });
  await rejects(rmi(store, { image: short(base) }), {
    message: `conflict: unable to delete ${short(base)} (must be forced) - image is referenced in multiple repositories`,
  });
  deepStrictEqual((await rmi(store, { image: "base:2" })).untagged, ["base:2"]);
  deepStrictEqual((await rmi(store, { image: "base:1" })).untagged, ["base:1", `base@${digest}`]);
  await tag(store, { image: "other:1", reference: "third:1" });
  const byDigest = parseReference(`other@${digest}`);
  await store.references.set(byDigest, pulled);
  // It has no line of its own, and goes with the last tag.
  deepStrictEqual(await listed(store), ["other:1", "third:1"]);
  deepStrictEqual(await rmi(store, { image: base, force: true }), {
    untagged: ["other:1", `other@${digest}`, "third:1"],
    deleted: [base, layer],
  });
});

test("rmi: a container that is not mounted is in the way unless forced, and goes on without", async () => {
  using scratch = new Scratch();
  const { store, base } = await sample(scratch);
  const image = await store.resolve("base:1");
  const container = await store.containers.create({ image, imageName: "base:1" });
  const user = container.id.slice(0, 12);
  await rejects(rmi(store, { image: "base:1" }), {
    code: "IN_USE",
    message: `conflict: unable to remove repository reference "base:1" (must force) - container ${user} is using its referenced image ${short(base)}`,
  });
  await rejects(rmi(store, { image: short(base) }), {
    code: "IN_USE",
    message: `conflict: unable to delete ${short(base)} (must be forced) - image is being used by stopped container ${user}`,
  });
  // Its layers stay: the container stands on them.
  deepStrictEqual(await rmi(store, { image: "base:1", force: true }), {
    untagged: ["base:1"],
    deleted: [base],
  });
  deepStrictEqual((await store.check()).findings, []);
  await store.unpack(await store.image(container.manifest));
});

test("image prune: dangling ones, or all that no container stands on; filters", async () => {
  using scratch = new Scratch();
  const { store } = await sample(scratch);
  const used = await store.resolve("base:1");
  await store.containers.create({ image: used, imageName: "base:1" });
  await child(store, scratch, "base:1", { name: "old:1", changes: ["LABEL keep=yes"] });
  await addImage(store, undefined, [archive(scratch, "nameless")]);
  const usage = await diskUsage(store);
  deepStrictEqual([usage.images.count, usage.images.active], [3, 1]);

  deepStrictEqual((await imagePrune(store, { filters: ["until=2000-01-01"] })).deleted, []);
  const dangling = await imagePrune(store);
  deepStrictEqual([dangling.untagged, dangling.deleted.length], [[], 2]);
  deepStrictEqual((await imagePrune(store, { all: true, filters: ["label!=keep"] })).deleted, []);
  const all = await imagePrune(store, { all: true, filters: ["label=keep=yes"] });
  deepStrictEqual([all.untagged, all.deleted.length], [["old:1"], 2]);
  // What df said can be given back is what prune gave back.
  strictEqual(dangling.sizeBytes + all.sizeBytes, usage.images.reclaimableBytes);
  deepStrictEqual(await listed(store), ["base:1"]);
  deepStrictEqual((await imagePrune(store, { all: true })).deleted, []);
  await rejects(imagePrune(store, { filters: ["until=1h", "until=2h"] }), {
    message: "more than one until filter specified",
  });
  await rejects(imagePrune(store, { filters: ["before=x"] }), {
    message: "invalid filter 'before'",
  });

  strictEqual((await containerPrune(store, { filters: ["until=24h"] })).removed.length, 0);
  strictEqual((await containerPrune(store)).removed.length, 1);
  strictEqual((await imagePrune(store, { all: true })).deleted.length, 2);
  deepStrictEqual((await store.check()).blobs, 0);
});

test("prune: an untagged image that another one was made from is no garbage", async () => {
  using scratch = new Scratch();
  const { store, base } = await sample(scratch);
  await child(store, scratch, "base:1", { name: "top:1" });
  await rmi(store, { image: "base:1" });
  deepStrictEqual((await prune(store, { dangling: true })).removed, []);
  strictEqual((await inspect(store, { name: "top:1" })).value["Parent"], base);
});

test("parseTime: ages, seconds since 1970, dates of RFC 3339", () => {
  const now = new Date("2026-03-01T12:00:00Z");
  const expected: Record<string, string> = {
    "24h": "2026-02-28T12:00:00.000Z",
    "1h30m": "2026-03-01T10:30:00.000Z",
    "1.5h": "2026-03-01T10:30:00.000Z",
    "10s": "2026-03-01T11:59:50.000Z",
    "1136073600": "2006-01-01T00:00:00.000Z",
    "1136073600.5": "2006-01-01T00:00:00.500Z",
    "2006-01-02T15:04:05Z": "2006-01-02T15:04:05.000Z",
    "2006-01-02T15:04:05+01:00": "2006-01-02T14:04:05.000Z",
    "2006-01-02T15:04Z": "2006-01-02T15:04:00.000Z",
  };
  for (const [text, time] of Object.entries(expected)) {
    strictEqual(parseTime(text, now).toISOString(), time, text);
  }
  strictEqual(parseTime("2006-01-02", now).getTime(), new Date(2006, 0, 2).getTime());
  strictEqual(parseTime("2006-01-02T15", now).getTime(), new Date(2006, 0, 2, 15).getTime());
  for (const text of ["", "24 hours", "yesterday", "2006-13-01", "h", "-1h"]) {
    throws(() => parseTime(text, now), /invalid value for 'until' filter/, text);
  }
});
