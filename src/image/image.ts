// An image as a value, and what is derived from it. Nothing here reads or writes anything.

import { type ChainId, chainIds, type DiffId, type Digest, digestOf } from "../digest.js";
import {
  type HistoryEntry,
  type ImageConfig,
  type Manifest,
  parseImageConfig,
  parseJson,
  parseManifest,
} from "../oci/index.js";

/** An image: its documents' exact bytes and its blobs. A StoredImage of the store is one. */
export interface Image {
  readonly rawManifest: Uint8Array;
  readonly rawConfig: Uint8Array;
  /** Any blob of the image, by digest. */
  blob(digest: Digest): AsyncIterable<Uint8Array>;
}

/** The documents of an image without its blobs: what changes make. */
export type ImageDocuments = Pick<Image, "rawManifest" | "rawConfig">;

/** One step of the history with its layer, if it has one; in order of making. */
export interface HistoryLine extends HistoryEntry {
  /** Of the layer's blob; 0 for a step without a layer. */
  readonly sizeBytes: number;
  readonly layer: DiffId | undefined;
}

/** The image ID: the digest of the config. */
export function imageIdOf(image: ImageDocuments): Digest {
  return digestOf(image.rawConfig);
}

export function manifestDigestOf(image: ImageDocuments): Digest {
  return digestOf(image.rawManifest);
}

/** Throws EngineError DATA_LOSS or UNSUPPORTED, as parseManifest. */
export function manifestOf(image: ImageDocuments): Manifest {
  return parseManifest(parseJson(image.rawManifest, "manifest"), "manifest");
}

/** Throws EngineError DATA_LOSS, as parseImageConfig. */
export function configOf(image: ImageDocuments): ImageConfig {
  return parseImageConfig(parseJson(image.rawConfig, "config"), "config");
}

/** Base first. */
export function diffIdsOf(image: ImageDocuments): readonly DiffId[] {
  return configOf(image).diffIds;
}

/** Base first; the last one stands for the whole stack. */
export function chainOf(image: ImageDocuments): ChainId[] {
  return chainIds(diffIdsOf(image));
}

/** The bytes of all layers' blobs. */
export function layersSizeBytes(image: ImageDocuments): number {
  return manifestOf(image).layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
}

/** The history with the layers' sizes; layers that have no history come last, as "<missing>" in docker's lists. */
export function historyOf(image: ImageDocuments): HistoryLine[] {
  const { layers } = manifestOf(image);
  const { history, diffIds } = configOf(image);
  let next = 0;
  const lines = history.map((entry): HistoryLine => {
    if (entry.emptyLayer) return { ...entry, sizeBytes: 0, layer: undefined };
    const n = next++;
    return { ...entry, sizeBytes: layers[n]?.sizeBytes ?? 0, layer: diffIds[n] };
  });
  const unnamed = diffIds.slice(next).map((layer, n): HistoryLine => {
    const sizeBytes = layers[next + n]?.sizeBytes ?? 0;
    const nothing = { created: undefined, createdBy: "", author: "", comment: "" };
    return { ...nothing, emptyLayer: false, sizeBytes, layer };
  });
  return [...lines, ...unnamed];
}
