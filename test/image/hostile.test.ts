// Bad archives are refused with a clear error, and the store stays as it was.

import { deepStrictEqual, ok, rejects } from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { digestOf } from "../../src/digest.js";
import { EngineError } from "../../src/errors.js";
import { importRootfs, load } from "../../src/image/index.js";
import { parseReference } from "../../src/oci/index.js";
import type { Store } from "../../src/store/index.js";
import { chunksOf, pictureOf, Scratch, tarOf, writeTree } from "../store/fixture.js";
import { archiveOf, configOf, dockerMembers, layoutMembers, type Member } from "./archives.js";

const DATA_LOSS = "DATA_LOSS";

async function expectRefused(
  store: Store,
  title: string,
  archive: Uint8Array,
  code: string = DATA_LOSS,
): Promise<void> {
  const before = pictureOf(store.root);
  await rejects(load(chunksOf(archive, 5000), store), (error: unknown) => {
    ok(error instanceof EngineError, `${title}: ${String(error)}`);
    deepStrictEqual([title, error.code], [title, code], error.message);
    return true;
  });
  deepStrictEqual(pictureOf(store.root), before, title);
  deepStrictEqual((await store.check()).findings, [], title);
}

/** A store that has an image already, and the layers of another one. */
async function prepared(scratch: Scratch): Promise<[Store, Buffer]> {
  const store = await scratch.store();
  const old = tarOf(writeTree(scratch.join("old"), { old: "old" }));
  await load(chunksOf(await archiveOf(dockerMembers([old], ["app:1"]))), store);
  return [store, tarOf(writeTree(scratch.join("new"), { "d/f": "new", "d/g": "g".repeat(5000) }))];
}

function replaced(members: readonly Member[], name: RegExp, content: Member[1]): Member[] {
  return members.map((member) => (name.test(member[0]) ? [member[0], content] : member));
}

function without(members: readonly Member[], name: RegExp): Member[] {
  return members.filter((member) => !name.test(member[0]));
}

test("load: refuses malicious and malformed outer archives", async () => {
  using scratch = new Scratch();
  const [store, layer] = await prepared(scratch);
  const good = dockerMembers([layer]);
  const cases: Readonly<Record<string, readonly Member[]>> = {
    "name with ..": [["a/../../x", "x"], ...good],
    "absolute name": [["/etc/x", "x"], ...good],
    "duplicate member": [...good, ["manifest.json", "[]"]],
    "duplicate by another spelling": [...good, ["./manifest.json", "[]"]],
    "link out of the archive": [["l", { type: "symlink", linkname: "../../etc/passwd" }], ...good],
    "absolute link": [["l", { type: "symlink", linkname: "/etc/passwd" }], ...good],
    "hard link out": [["l", { type: "link", linkname: "../x" }], ...good],
    "member below a link": [["l", { type: "symlink", linkname: "m" }], ["l/x", "x"], ...good],
    fifo: [["p", { type: "fifo" }], ...good],
    "no image at all": [["README", "hello"]],
    "empty archive": [],
  };
  for (const [title, members] of Object.entries(cases)) {
    await expectRefused(store, title, await archiveOf(members));
  }
  const circle: Member[] = [
    ["a", { type: "symlink", linkname: "b" }],
    ["b", { type: "symlink", linkname: "a" }],
  ];
  const manifest = JSON.stringify([{ Config: "a", RepoTags: null, Layers: [] }]);
  await expectRefused(
    store,
    "links in a circle",
    await archiveOf([...circle, ["manifest.json", manifest]]),
  );
});

test("load: refuses damaged docker archives", async () => {
  using scratch = new Scratch();
  const [store, layer] = await prepared(scratch);
  const good = dockerMembers([layer]);
  const item = { Config: "c.json", RepoTags: ["app:1"], Layers: ["l.tar"] };
  const withItem = (change: object, config = configOf([layer])): Member[] => [
    ["c.json", config],
    ["l.tar", layer],
    ["manifest.json", JSON.stringify([{ ...item, ...change }])],
  ];
  const cases: Readonly<Record<string, readonly Member[]>> = {
    "layer missing": without(good, /layer\.tar$/),
    "config missing": without(good, /^[0-9a-f]{64}\.json$/),
    "manifest.json is no JSON": replaced(good, /^manifest/, "[{"),
    "manifest.json is empty": replaced(good, /^manifest/, "[]"),
    "manifest.json is an object": replaced(good, /^manifest/, "{}"),
    "manifest.json is huge": replaced(good, /^manifest/, Buffer.alloc(5 << 20, " ")),
    "config with another digest": replaced(good, /^[0-9a-f]{64}\.json$/, configOf([layer, layer])),
    "another layer than the diff ID says": replaced(
      good,
      /layer\.tar$/,
      tarOf(scratch.join("old")),
    ),
    "layer cut off": replaced(good, /layer\.tar$/, layer.subarray(0, 2000)),
    "more layers than diff IDs": withItem({ Layers: ["l.tar", "l.tar"] }),
    "fewer layers than diff IDs": withItem({ Layers: [] }),
    "config is no JSON": withItem({}, Buffer.from("no")),
    "config is a list": withItem({}, Buffer.from("[]")),
    "layers outside the archive": withItem({ Layers: ["../../../etc/passwd"] }),
  };
  for (const [title, members] of Object.entries(cases)) {
    await expectRefused(store, title, await archiveOf(members));
  }
  const badName = await archiveOf(withItem({ RepoTags: ["Not A Name"] }));
  await expectRefused(store, "bad name", badName, "INVALID_ARGUMENT");
});

test("load: refuses damaged OCI archives", async () => {
  using scratch = new Scratch();
  const [store, layer] = await prepared(scratch);
  const good = layoutMembers([layer]);
  const layerName = new RegExp(`${digestOf(layer).slice(7)}$`);
  const other = (value: unknown): Member[] => replaced(good, /^index/, JSON.stringify(value));
  const index = JSON.parse(String(good[1]?.[1])) as { manifests: { size: number }[] };
  const entry = index.manifests[0];
  const cases: Readonly<Record<string, readonly Member[]>> = {
    "blob missing": without(good, layerName),
    "blob damaged": replaced(good, layerName, Buffer.alloc(layer.length)),
    "oci-layout missing": without(good, /^oci-layout$/),
    "no manifests": other({ schemaVersion: 2, manifests: [] }),
    "manifest of another size": other({
      schemaVersion: 2,
      manifests: [{ ...entry, size: (entry?.size ?? 0) + 1 }],
    }),
    "index and manifest at once": other({ ...index, layers: [] }),
    "gzip bomb of garbage": layoutMembers([layer], {}, [gzipSync(layer).subarray(0, 100)]),
    "layer is of another diff ID": layoutMembers([layer], {}, [tarOf(scratch.join("old"))]),
  };
  for (const [title, members] of Object.entries(cases)) {
    await expectRefused(store, title, await archiveOf(members));
  }
  const unsupported: Readonly<Record<string, readonly Member[]>> = {
    "unknown layer type": layoutMembers([layer], { layer: "application/x-unknown" }),
    "an artifact": layoutMembers([layer], { config: "application/vnd.cncf.helm.config.v1+json" }),
    "unknown manifest type": layoutMembers([layer], { manifest: "application/x-unknown" }),
    "layout version 2": replaced(good, /^oci-layout$/, '{"imageLayoutVersion":"2.0.0"}'),
  };
  for (const [title, members] of Object.entries(unsupported)) {
    await expectRefused(store, title, await archiveOf(members), "UNSUPPORTED");
  }
});

test("load: a layer that no directory can hold is refused, nothing is written outside", async () => {
  using scratch = new Scratch();
  const [store] = await prepared(scratch);
  const layers: Readonly<Record<string, readonly Member[]>> = {
    "..": [["../../escape", "x"]],
    "through a symlink": [
      ["l", { type: "symlink", linkname: "/tmp" }],
      ["h", { type: "link", linkname: "../../../../etc/passwd" }],
    ],
    "nameless whiteout": [[".wh.", ""]],
    "a long name": [["n".repeat(300), "x"]],
  };
  for (const [title, members] of Object.entries(layers)) {
    const archive = await archiveOf(dockerMembers([await archiveOf(members)]));
    const before = pictureOf(scratch.path);
    await rejects(load(chunksOf(archive), store), EngineError, title);
    const tmp = (picture: Map<string, string>): string[] =>
      [...picture.keys()].filter((name) => !name.startsWith("store/tmp"));
    deepStrictEqual(tmp(pictureOf(scratch.path)), tmp(before), title);
  }
});

test("load: an archive cut off anywhere is refused", async () => {
  using scratch = new Scratch();
  const [store, layer] = await prepared(scratch);
  const archive = await archiveOf(dockerMembers([layer]));
  // Behind the last member there are only zeros.
  const end = archive.indexOf("manifest.json") + 512;
  for (let length = 0; length < end; length += 1 + Math.floor(end / 40)) {
    await expectRefused(store, `cut at ${length}`, archive.subarray(0, length));
  }
  const packed = gzipSync(archive);
  await expectRefused(store, "cut gzip", packed.subarray(0, packed.length - 9));
});

test("importRootfs: refuses bad archives and bad changes before anything is changed", async () => {
  using scratch = new Scratch();
  const [store, layer] = await prepared(scratch);
  const before = pictureOf(store.root);
  const reference = parseReference("app:1");
  await rejects(importRootfs(chunksOf(layer.subarray(0, 1700)), store, { reference }), {
    code: DATA_LOSS,
  });
  await rejects(
    importRootfs(chunksOf(layer), store, {
      reference,
      changes: [{ name: "EXPOSE", words: ["none"] }],
    }),
    {
      code: "INVALID_ARGUMENT",
    },
  );
  deepStrictEqual(pictureOf(store.root), before);
});
