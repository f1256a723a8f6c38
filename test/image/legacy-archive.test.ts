// Archives of docker before 1.10: a directory a layer, tied by parents. The configs expected here are
// written out by hand after moby's MakeConfigFromV1Config.

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { digestOf } from "../../src/digest.js";
import { load } from "../../src/image/index.js";
import { chunksOf, pictureOf, Scratch, tarOf, writeTree } from "../store/fixture.js";
import { archiveOf, type Member } from "./archives.js";

const BASE = "a".repeat(64);
const TOP = "b".repeat(64);
const SIDE = "c".repeat(64);

interface Sample {
  readonly layers: Record<string, Buffer>;
  readonly members: Member[];
}

function layerJson(id: string, parent: string | undefined, more: object): string {
  return JSON.stringify({
    id,
    ...(parent === undefined ? {} : { parent }),
    created: "2014-06-01T10:00:00.5Z",
    container_config: { Cmd: ["/bin/sh", "-c", `step ${id.slice(0, 1)}`] },
    docker_version: "1.8.3",
    architecture: "amd64",
    os: "linux",
    Size: 1234,
    ...more,
  });
}

function sample(scratch: Scratch): Sample {
  const layers = {
    [BASE]: tarOf(writeTree(scratch.join("base"), { "etc/a": "a", "etc/b": "b" })),
    [TOP]: tarOf(writeTree(scratch.join("top"), { "etc/.wh.a": "", "etc/c": "c" })),
    [SIDE]: tarOf(writeTree(scratch.join("side"), { "srv/d": "d" })),
  };
  const json = {
    [BASE]: layerJson(BASE, undefined, { author: "me" }),
    [TOP]: layerJson(TOP, BASE, { config: { Cmd: ["sh"], Env: ["A=1"] }, comment: "top" }),
    [SIDE]: layerJson(SIDE, BASE, { throwaway: true, layer_id: "x" }),
  };
  const members = Object.entries(layers).flatMap(([id, layer]): Member[] => [
    [id, { type: "directory" }],
    [`${id}/VERSION`, "1.0"],
    [`${id}/json`, json[id] ?? ""],
    [`${id}/layer.tar`, id === SIDE ? gzipSync(layer) : layer],
  ]);
  return { layers, members };
}

const NAMES: Member = [
  "repositories",
  JSON.stringify({ app: { "1": TOP, old: TOP }, b: { x: BASE } }),
];

test("load: archives of docker before 1.10 give docker's configs, names and tops", async () => {
  using scratch = new Scratch();
  const { layers, members } = sample(scratch);
  const store = await scratch.store();
  const loaded = await load(chunksOf(await archiveOf([...members, NAMES]), 999), store);
  deepStrictEqual(
    loaded.map(({ names }) => names),
    [["app:1", "app:old"], ["b:x"], []],
  );
  const diffOf = (id: string): string => digestOf(layers[id] ?? Buffer.of());
  const image = await store.resolve("app:1");
  const config = JSON.parse(Buffer.from(image.rawConfig).toString()) as object;
  deepStrictEqual(config, {
    created: "2014-06-01T10:00:00.5Z",
    container_config: { Cmd: ["/bin/sh", "-c", "step b"] },
    docker_version: "1.8.3",
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["sh"], Env: ["A=1"] },
    comment: "top",
    rootfs: { type: "layers", diff_ids: [diffOf(BASE), diffOf(TOP)] },
    history: [
      { created: "2014-06-01T10:00:00.5Z", author: "me", created_by: "/bin/sh -c step a" },
      { created: "2014-06-01T10:00:00.5Z", created_by: "/bin/sh -c step b", comment: "top" },
    ],
  });
  const side = await store.resolve(String(loaded[2]?.id));
  deepStrictEqual(side.config.diffIds, [diffOf(BASE), diffOf(SIDE)]);
  strictEqual("throwaway" in side.config.raw, false);
  deepStrictEqual((await store.check()).findings, []);

  // The same as a directory, and without `repositories`: then the tops have no names.
  writeFileSync(scratch.join("a.tar"), await archiveOf(members));
  const directory = writeTree(scratch.join("extracted"), {});
  execFileSync("tar", ["-C", directory, "-xf", scratch.join("a.tar")]);
  const other = await scratch.store("other");
  const nameless = await load(directory, other);
  deepStrictEqual(nameless.map(({ id }) => id).sort(), [image.id, side.id].sort());
});

test("load: damaged archives of docker before 1.10 are refused", async () => {
  using scratch = new Scratch();
  const { members } = sample(scratch);
  const without = (name: string): Member[] => members.filter(([member]) => member !== name);
  const circle = without(`${BASE}/json`).concat([
    [`${BASE}/json`, layerJson(BASE, TOP, {})],
    NAMES,
  ]);
  const cases: Record<string, Member[]> = {
    "no image": [["repositories", "{}"]],
    "a parent is missing": [...without(`${BASE}/json`), NAMES],
    "a layer is missing": [...without(`${TOP}/layer.tar`), NAMES],
    "parents in circles": circle,
    "a name of no layer": [...members, ["repositories", '{"a":{"b":"../../etc"}}']],
    "no JSON": [...members, ["repositories", "no"]],
  };
  const store = await scratch.store();
  const before = pictureOf(store.root);
  for (const [title, bad] of Object.entries(cases)) {
    await rejects(load(chunksOf(await archiveOf(bad)), store), { code: "DATA_LOSS" }, title);
    deepStrictEqual(pictureOf(store.root), before, title);
  }
});
