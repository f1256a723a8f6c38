// Changes of images: pure functions from documents to documents. Fields that are not known here are
// kept; docker's types become OCI's, because a manifest of both kinds is refused by other tools.

import type { DiffId } from "../digest.js";
import { digestOf } from "../digest.js";
import {
  type Descriptor,
  DOCKER_MANIFEST,
  descriptorJson,
  type JsonObject,
  type JsonValue,
  makeDescriptor,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_MANIFEST,
  ociTypeOf,
  type Platform,
} from "../oci/index.js";
import { configOf, type ImageDocuments, manifestOf } from "./image.js";

/** A layer to be put on top, and the step of the history that tells of it. */
export interface NewLayer {
  readonly descriptor: Descriptor;
  readonly diffId: DiffId;
  readonly created: Date;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
}

const encoder = new TextEncoder();

/** The bytes of a document: what its digest is taken over. */
export function documentBytes(value: JsonObject): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** The descriptor of a layer that is stored as an uncompressed tar, whose digest is its diff ID. */
export function layerDescriptor(blob: {
  readonly digest: Descriptor["digest"];
  readonly sizeBytes: number;
}): Descriptor {
  return makeDescriptor(OCI_LAYER, blob);
}

/** An image without layers. */
export function emptyImage(platform: Platform, created: Date): ImageDocuments {
  const { os, architecture, variant } = platform;
  const rawConfig = documentBytes({
    created: created.toISOString(),
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os,
    config: {},
    rootfs: { type: "layers", diff_ids: [] },
    history: [],
  });
  return withConfig({ schemaVersion: 2, mediaType: OCI_MANIFEST }, rawConfig, []);
}

/** The manifest of a config and layers: a function of its arguments only. */
export function makeManifest(rawConfig: Uint8Array, layers: readonly Descriptor[]): ImageDocuments {
  return withConfig({ schemaVersion: 2, mediaType: OCI_MANIFEST }, rawConfig, layers);
}

/** The image with one layer more. */
export function appendLayer(image: ImageDocuments, layer: NewLayer): ImageDocuments {
  return appendLayers(image, [layer]);
}

/** The image with more layers, base first. */
export function appendLayers(image: ImageDocuments, layers: readonly NewLayer[]): ImageDocuments {
  const config = configOf(image);
  // What docker recorded of the container that made the image is not true of the new one.
  const { container: _, container_config: __, ...kept } = config.raw;
  const author = layers.findLast((layer) => layer.author)?.author;
  const created = layers.at(-1)?.created.toISOString();
  const rawConfig = documentBytes({
    ...kept,
    ...(created === undefined ? {} : { created }),
    ...(author ? { author } : {}),
    rootfs: { type: "layers", diff_ids: [...config.diffIds, ...layers.map((one) => one.diffId)] },
    history: [...wholeHistory(image), ...layers.map(historyLine)],
  });
  return replaceConfig(
    image,
    rawConfig,
    layers.map((layer) => layer.descriptor),
  );
}

function historyLine({ created, createdBy, author, comment }: NewLayer): JsonObject {
  return {
    created: created.toISOString(),
    ...(createdBy ? { created_by: createdBy } : {}),
    ...(author ? { author } : {}),
    ...(comment ? { comment } : {}),
  };
}

/** The image with another config of the same layers. */
export function replaceConfig(
  image: ImageDocuments,
  rawConfig: Uint8Array,
  more: readonly Descriptor[] = [],
): ImageDocuments {
  const manifest = manifestOf(image);
  const layers = [...manifest.layers, ...more];
  if (manifest.mediaType !== DOCKER_MANIFEST) return withConfig(manifest.raw, rawConfig, layers);
  const converted = layers.map((layer) => ({ ...layer, mediaType: ociTypeOf(layer.mediaType) }));
  return withConfig(manifest.raw, rawConfig, converted);
}

/** The history with a line for each layer, so that the next line is that of the next layer. */
export function wholeHistory(image: ImageDocuments): readonly JsonValue[] {
  const { history, diffIds, raw } = configOf(image);
  const told = history.filter((entry) => !entry.emptyLayer).length;
  const lines = Array.isArray(raw["history"]) ? (raw["history"] as readonly JsonValue[]) : [];
  const missing = Math.max(diffIds.length - told, 0);
  return [...lines, ...Array.from({ length: missing }, () => ({ created_by: "" }))];
}

function withConfig(
  raw: JsonObject,
  rawConfig: Uint8Array,
  layers: readonly Descriptor[],
): ImageDocuments {
  const config = { digest: digestOf(rawConfig), sizeBytes: rawConfig.byteLength };
  const rawManifest = documentBytes({
    ...raw,
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptorJson(makeDescriptor(OCI_CONFIG, config)),
    layers: layers.map(descriptorJson),
  });
  return { rawManifest, rawConfig };
}
