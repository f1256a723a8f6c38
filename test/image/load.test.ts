// Loading good archives: the image ID stays, and every layout and packing is understood.

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { digestOf } from "../../src/digest.js";
import { load, saveDockerArchive, saveOciArchive } from "../../src/image/index.js";
import type { Store } from "../../src/store/index.js";
import {
  bytesOfStream,
  chunksOf,
  lacking,
  pictureOf,
  Scratch,
  tarOf,
  writeTree,
} from "../store/fixture.js";
import { archiveOf, configOf, dockerMembers, layoutMembers, type Member } from "./archives.js";

function layersIn(scratch: Scratch): [Buffer, Buffer] {
  const base = tarOf(writeTree(scratch.join("base"), { "etc/a": "a", "etc/b": "b".repeat(3000) }));
  const top = tarOf(writeTree(scratch.join("top"), { "etc/.wh.a": "", "etc/c": "c" }));
  return [base, top];
}

async function loadMembers(store: Store, members: readonly Member[]): Promise<string[]> {
  const loaded = await load(chunksOf(await archiveOf(members), 1000), store);
  deepStrictEqual((await store.check()).findings, []);
  return loaded.map(({ id, names }) => `${id} ${names.join()}`);
}

test("load: a docker archive keeps its config byte for byte, in any order of members", async () => {
  using scratch = new Scratch();
  const layers = layersIn(scratch);
  const config = configOf(layers);
  const expected = [`${digestOf(config)} app:1`];
  const store = await scratch.store();
  deepStrictEqual(await loadMembers(store, dockerMembers(layers)), expected);
  const image = await store.resolve("app:1");
  deepStrictEqual(Buffer.from(image.rawConfig), config);
  const picture = pictureOf(store.root);
  deepStrictEqual(await loadMembers(store, dockerMembers(layers)), expected);
  deepStrictEqual(pictureOf(store.root), picture, "loading twice changes nothing");
  const other = await scratch.store("other");
  deepStrictEqual(await loadMembers(other, dockerMembers(layers).reverse()), expected);
  strictEqual((await other.resolve("app:1")).descriptor.digest, image.descriptor.digest);
});

test("load: legacy layer links, compressed layers, images without names, several at once", async () => {
  using scratch = new Scratch();
  const layers = layersIn(scratch);
  const [base, top] = layers;
  const config = configOf(layers);
  const item = { Config: "c.json", RepoTags: null, Layers: ["a/layer.tar", "b/layer.tar"] };
  const store = await scratch.store();
  const members: Member[] = [
    ["./a/layer.tar", { type: "symlink", linkname: "../base.tar" }],
    ["./base.tar", gzipSync(base)],
    ["b/layer.tar", execFileSync("zstd", ["-qc"], { input: top })],
    ["c.json", config],
    ["manifest.json", JSON.stringify([item, { ...item, RepoTags: ["x:1", "r.io/y:2"] }])],
  ];
  deepStrictEqual(await loadMembers(store, members), [
    `${digestOf(config)} `,
    `${digestOf(config)} x:1,r.io/y:2`,
  ]);
  const { manifest, names } = await store.resolve("x:1");
  deepStrictEqual(
    manifest.layers.map(({ mediaType }) => mediaType.split("+")[1]),
    ["gzip", "zstd"],
  );
  deepStrictEqual(names, ["x:1", "r.io/y:2"]);
});

test("load: xz layers are stored unpacked; the whole archive may be packed", {
  skip: lacking("xz", "zstd"),
}, async () => {
  using scratch = new Scratch();
  const layers = layersIn(scratch);
  const members = dockerMembers(layers).map(([name, content]): Member => {
    const isLayer = name.endsWith("layer.tar") && content instanceof Uint8Array;
    return [name, isLayer ? execFileSync("xz", ["-c"], { input: content }) : content];
  });
  const archive = await archiveOf(members);
  for (const [name, args] of Object.entries({ gzip: ["-c"], zstd: ["-qc"], xz: ["-c"] })) {
    const store = await scratch.store(name);
    const packed = execFileSync(name, args, { input: archive });
    strictEqual((await load(chunksOf(packed), store))[0]?.id, digestOf(configOf(layers)));
    const { manifest } = await store.resolve("app:1");
    deepStrictEqual(
      manifest.layers.map(({ digest }) => digest),
      layers.map((layer) => digestOf(layer)),
    );
  }
});

test("load: OCI archives and directories keep the manifest, docker's types too", async () => {
  using scratch = new Scratch();
  const layers = layersIn(scratch);
  const packed = layers.map((layer) => gzipSync(layer));
  const docker = "application/vnd.docker";
  const types = {
    manifest: `${docker}.distribution.manifest.v2+json`,
    config: `${docker}.container.image.v1+json`,
    layer: `${docker}.image.rootfs.diff.tar.gzip`,
  };
  for (const [n, members] of [
    layoutMembers(layers),
    layoutMembers(layers, { layer: "application/vnd.oci.image.layer.v1.tar+gzip" }, packed),
    layoutMembers(layers, types, packed),
  ].entries()) {
    const store = await scratch.store(`store${n}`);
    const expected = [`${digestOf(configOf(layers))} app:1`];
    deepStrictEqual(await loadMembers(store, members), expected);
    const { rawManifest } = await store.resolve("app:1");
    const name = `blobs/sha256/${digestOf(rawManifest).slice(7)}`;
    deepStrictEqual(members.find(([member]) => member === name)?.[1], Buffer.from(rawManifest));

    writeFileSync(scratch.join("a.tar"), await archiveOf(members));
    const directory = writeTree(scratch.join(`layout${n}`), {});
    execFileSync("tar", ["-C", directory, "-xf", scratch.join("a.tar")]);
    const other = await scratch.store(`other${n}`);
    const [loaded] = await load(directory, other);
    strictEqual(loaded?.descriptor.digest, digestOf(rawManifest));
    deepStrictEqual(pictureOf(other.root), pictureOf(store.root));
  }
});

test("load: an index gives the image of the platform", async () => {
  using scratch = new Scratch();
  const [base, top] = layersIn(scratch);
  const [amd, arm] = [layoutMembers([base]), layoutMembers([top])];
  const entryOf = (members: Member[], architecture: string): object => {
    const index = JSON.parse(String(members[1]?.[1])) as { manifests: object[] };
    return { ...index.manifests[0], annotations: {}, platform: { os: "linux", architecture } };
  };
  const inner = JSON.stringify({
    schemaVersion: 2,
    manifests: [entryOf(arm, "riscv64"), entryOf(amd, "amd64"), entryOf(amd, "arm64")],
  });
  const entry = {
    mediaType: "application/vnd.oci.image.index.v1+json",
    digest: digestOf(inner),
    size: inner.length,
    annotations: { "io.containerd.image.name": "docker.io/library/multi:1" },
  };
  const members: Member[] = [
    ["oci-layout", '{"imageLayoutVersion":"1.0.0"}'],
    ["index.json", JSON.stringify({ schemaVersion: 2, manifests: [entry] })],
    [`blobs/sha256/${digestOf(inner).slice(7)}`, inner],
    ...new Map([...amd.slice(2), ...arm.slice(2)]).entries(),
  ];
  const archive = await archiveOf(members);
  const store = await scratch.store();
  strictEqual((await load(chunksOf(archive), store))[0]?.id, digestOf(configOf([base])));
  const platform = { os: "linux", architecture: "riscv64" };
  const other = await load(chunksOf(archive), store, { platform });
  strictEqual(other[0]?.id, digestOf(configOf([top])));
  await rejects(
    load(chunksOf(archive), store, { platform: { os: "linux", architecture: "arm" } }),
    {
      code: "NOT_FOUND",
    },
  );
});

test("saveDockerArchive, saveOciArchive: same images, same bytes; load gives the images back", async () => {
  using scratch = new Scratch();
  const layers = layersIn(scratch);
  const store = await scratch.store();
  await loadMembers(store, dockerMembers(layers, ["app:1", "r.io:5000/b/c:2"]));
  await loadMembers(store, dockerMembers([layers[0]], null));
  const images = (await store.images()).map((image) => ({ image, references: image.references }));
  for (const save of [saveDockerArchive, saveOciArchive]) {
    const archive = await bytesOfStream(save(images));
    deepStrictEqual(await bytesOfStream(save(images)), archive);
    const other = await scratch.store(save.name);
    await load(chunksOf(archive), other);
    const namesById = async (of: Store): Promise<[string, string, readonly string[]][]> =>
      (await of.images()).map(({ id, descriptor, names }) => [id, descriptor.digest, names]);
    deepStrictEqual((await namesById(other)).sort(), (await namesById(store)).sort());
  }
});

test("load: from a path; progress counts members and layers", async () => {
  using scratch = new Scratch();
  const layers = layersIn(scratch);
  writeFileSync(scratch.join("a.tar"), await archiveOf(dockerMembers(layers)));
  const store = await scratch.store();
  const seen = new Set<string>();
  await load(scratch.join("a.tar"), store, {
    onMember: (name, done, size) => void (done === size && seen.add(name)),
    onUnpack: (layer, count) => void seen.add(`${layer}/${count}`),
  });
  deepStrictEqual(
    [...seen].filter((name) => name.includes("/")).sort(),
    ["0/2", "1/2", ...layers.map((layer) => `${digestOf(layer).slice(7)}/layer.tar`)].sort(),
  );
  await rejects(load(scratch.join("none.tar"), store), { code: "NOT_FOUND" });
  strictEqual(readFileSync(scratch.join("a.tar")).length > 0, true);
});
