// Is a stored image whole and consistent? Manifest against config, sizes against blobs, and every
// layer's archive against its diff ID, which unpacking does.

import { createHash } from "node:crypto";
import { chainIds, type DiffId, type Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import {
  type Descriptor,
  DOCUMENT_LIMIT_BYTES,
  parseImageConfig,
  parseJson,
  parseManifest,
} from "../oci/index.js";
import { decompress } from "../tar/compression.js";
import { configOf, type ImageDocuments, imageIdOf, manifestOf } from "./image.js";
import type { BlobTarget, ImageTarget, LayersOnTheirWay } from "./image-target.js";

/** Called with the layer (base is 0), their number, and the archive bytes unpacked so far. */
export type UnpackedBytes = (layer: number, layers: number, doneBytes: number) => void;

/**
 * The documents of an image agree: the manifest names this config, and both have the same layers.
 * Throws EngineError DATA_LOSS, UNSUPPORTED.
 */
export function validateImage(image: ImageDocuments): void {
  const manifest = manifestOf(image);
  const { diffIds } = configOf(image);
  const id = imageIdOf(image);
  const { digest, sizeBytes } = manifest.config;
  if (digest !== id || sizeBytes !== image.rawConfig.byteLength) {
    throw damaged(id, `the manifest names the config ${digest} of ${sizeBytes} bytes`);
  }
  if (manifest.layers.length !== diffIds.length) {
    throw damaged(
      id,
      `the manifest has ${manifest.layers.length} layers, the config ${diffIds.length}`,
    );
  }
}

/** Checks an image of a batch to its last byte, and unpacks its layers there. Returns the image ID. Throws as validateImage, NOT_FOUND for missing blobs. */
export async function verifyImage(
  { layers }: Pick<ImageTarget, "layers">,
  batch: LayersOnTheirWay,
  descriptor: Descriptor,
  progress?: UnpackedBytes,
): Promise<Digest> {
  const { blobs } = batch;
  const rawManifest = await blobs.readBytes(descriptor.digest, DOCUMENT_LIMIT_BYTES);
  const title = descriptor.digest;
  const manifest = parseManifest(parseJson(rawManifest, title), title);
  const id = manifest.config.digest;
  const rawConfig = await blobs.readBytes(id, DOCUMENT_LIMIT_BYTES);
  validateImage({ rawManifest, rawConfig });
  const { diffIds } = parseImageConfig(parseJson(rawConfig, id), id);
  const chain = chainIds(diffIds);
  const unpacking: Promise<unknown>[] = [];
  for (const [n, layer] of manifest.layers.entries()) {
    const sizeBytes = await blobs.size(layer.digest);
    if (sizeBytes !== layer.sizeBytes) {
      throw damaged(layer.digest, `it has ${sizeBytes} bytes instead of ${layer.sizeBytes}`);
    }
    const diffId = diffIds[n];
    const chainId = chain[n];
    if (diffId === undefined || chainId === undefined) continue;
    if (await layers.has(chainId)) await checkDiffId(batch, layer.digest, diffId);
    else {
      const adding = batch.add({
        diffIds: diffIds.slice(0, n + 1),
        open: () => blobs.stream(layer.digest),
        blob: layer.digest,
        progress: (doneBytes) => progress?.(n, chain.length, doneBytes),
      });
      // Its failure is thrown below; until then it is not unheard of.
      adding.catch(() => undefined);
      unpacking.push(adding);
    }
  }
  await Promise.all(unpacking);
  return id;
}

/** A layer that is unpacked already may have come from another blob than this one. Throws EngineError DATA_LOSS when it has. */
export async function checkDiffId(
  { blobs }: BlobTarget,
  blob: Digest,
  diffId: DiffId,
): Promise<void> {
  if (blob === diffId) return;
  const hash = createHash("sha256");
  for await (const chunk of decompress(blobs.stream(blob))) hash.update(chunk);
  const actual = `sha256:${hash.digest("hex")}`;
  if (actual !== diffId) throw damaged(blob, `it has the diff ID ${actual} instead of ${diffId}`);
}

function damaged(object: string, state: string): EngineError {
  return new EngineError("DATA_LOSS", `Cannot use "${object}": ${state}`);
}
