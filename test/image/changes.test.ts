// Changes of images: what they change, and that they change nothing else.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { type DiffId, digestOf } from "../../src/digest.js";
import {
  appendLayer,
  chainOf,
  configOf,
  historyOf,
  type ImageDocuments,
  layerDescriptor,
  manifestOf,
  validateImage,
} from "../../src/image/index.js";
import { layoutMembers, configOf as rawConfigOf } from "./archives.js";

const created = new Date("2024-05-06T07:08:09.123Z");
const layer = Buffer.from("a layer");
const added = Buffer.from("another layer");

function documentsOf(types: Parameters<typeof layoutMembers>[1]): ImageDocuments {
  const members = layoutMembers([layer], types);
  const rawConfig = rawConfigOf([layer]);
  const rawManifest = members
    .map(([, bytes]) => bytes)
    .find((bytes) => bytes instanceof Uint8Array && bytes !== layer && !rawConfig.equals(bytes));
  if (!(rawManifest instanceof Uint8Array)) throw new Error("no manifest");
  return { rawManifest, rawConfig };
}

function append(image: ImageDocuments): ImageDocuments {
  return appendLayer(image, {
    descriptor: layerDescriptor({ digest: digestOf(added), sizeBytes: added.length }),
    diffId: digestOf(added) as DiffId,
    created,
    createdBy: "strata commit",
    author: "me",
    comment: "why",
  });
}

test("appendLayer: adds layer, diff ID and history; keeps unknown fields", () => {
  const image = documentsOf({});
  const changed = append(image);
  validateImage(changed);
  const config = configOf(changed);
  deepStrictEqual(config.diffIds, [digestOf(layer), digestOf(added)]);
  deepStrictEqual(config.raw["x-unknown"], { keep: ["me"] });
  deepStrictEqual(config.raw["config"], configOf(image).raw["config"]);
  deepStrictEqual(
    [config.raw["container_config"], config.created, config.author],
    [undefined, created.toISOString(), "me"],
  );
  strictEqual(manifestOf(changed).annotations.get("x-unknown"), "kept");
  deepStrictEqual(
    historyOf(changed).map((line) => [line.createdBy, line.comment, line.sizeBytes, line.layer]),
    [
      ["step 0", "", layer.length, digestOf(layer)],
      ["strata commit", "why", added.length, digestOf(added)],
    ],
  );
  strictEqual(chainOf(changed)[1], digestOf(`${digestOf(layer)} ${digestOf(added)}`));
  deepStrictEqual(append(image), changed, "the same change gives the same bytes");
});

test("appendLayer: docker's types become OCI's", () => {
  const docker = "application/vnd.docker";
  const image = documentsOf({
    manifest: `${docker}.distribution.manifest.v2+json`,
    config: `${docker}.container.image.v1+json`,
    layer: `${docker}.image.rootfs.diff.tar.gzip`,
  });
  const manifest = manifestOf(append(image));
  const oci = "application/vnd.oci.image";
  deepStrictEqual(
    [manifest.mediaType, manifest.config.mediaType, ...manifest.layers.map((l) => l.mediaType)],
    [
      `${oci}.manifest.v1+json`,
      `${oci}.config.v1+json`,
      `${oci}.layer.v1.tar+gzip`,
      `${oci}.layer.v1.tar`,
    ],
  );
});

test("appendLayer: layers without history get lines, so that the new line is the new layer's", () => {
  const image = documentsOf({});
  const { history: _, ...raw } = configOf(image).raw;
  const bare = { ...image, rawConfig: Buffer.from(JSON.stringify(raw)) };
  const lines = historyOf(append(bare));
  deepStrictEqual(
    lines.map(({ createdBy, layer: diffId }) => [createdBy, diffId]),
    [
      ["", digestOf(layer)],
      ["strata commit", digestOf(added)],
    ],
  );
});
