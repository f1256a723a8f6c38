// Import: the tar of a root file system becomes an image of one layer.

import type { DiffId, Digest } from "../digest.js";
import {
  type Descriptor,
  hostPlatform,
  makeDescriptor,
  OCI_MANIFEST,
  type Platform,
  type Reference,
} from "../oci/index.js";
import { clampTimes } from "../tar/clamp-times.js";
import { decompress } from "../tar/compression.js";
import { appendLayer, emptyImage, layerDescriptor } from "./changes.js";
import { applyConfigChanges, type ConfigChange } from "./config-change.js";
import type { ImageDocuments } from "./image.js";
import type { BlobTarget, ImageTarget } from "./image-target.js";
import { collectAfterFailure } from "./load.js";
import { type UnpackedBytes, validateImage, verifyImage } from "./verify.js";

/** What the image is to be. */
export interface ImportOptions {
  /** Without one the image has no name. */
  readonly reference?: Reference;
  /** The history's comment. */
  readonly message?: string;
  readonly changes?: readonly ConfigChange[];
  readonly platform?: Platform;
  /** Of image and history; now by default. */
  readonly created?: Date;
  /** Files from after this time (seconds since 1970) get it instead: the layer is another archive then. */
  readonly latestSec?: number | undefined;
  readonly onUnpack?: UnpackedBytes;
}

/** Stores an image's documents; its layers' blobs must be there. Hold the store's lock shared until it has a name. */
export async function putImage(target: BlobTarget, image: ImageDocuments): Promise<Descriptor> {
  validateImage(image);
  await target.blobs.putBytes(image.rawConfig);
  const manifest = await target.blobs.putBytes(image.rawManifest);
  return makeDescriptor(OCI_MANIFEST, manifest);
}

/**
 * Imports the tar of a root file system, packed in any known way; the layer is stored uncompressed.
 * Throws EngineError DATA_LOSS (damaged archive), INVALID_ARGUMENT (members that no layer can hold, bad changes).
 */
export async function importRootfs(
  source: AsyncIterable<Uint8Array>,
  target: ImageTarget,
  options: ImportOptions = {},
): Promise<{ readonly id: Digest; readonly descriptor: Descriptor }> {
  const created = options.created ?? new Date();
  // Bad instructions are refused before anything is read.
  const base = applyConfigChanges(
    emptyImage(options.platform ?? hostPlatform(), created),
    options.changes ?? [],
  );
  try {
    await using _lease = await target.lock.acquire("shared");
    const { latestSec } = options;
    await using batch = await target.layers.batch();
    const archive = decompress(source);
    const blob = await batch.blobs.put(
      latestSec === undefined ? archive : clampTimes(archive, latestSec),
    );
    const image = appendLayer(base, {
      descriptor: layerDescriptor(blob),
      // The blob is the uncompressed archive itself.
      diffId: blob.digest as DiffId,
      created,
      comment: options.message ?? "Imported from -",
    });
    const descriptor = await putImage(batch, image);
    const id = await verifyImage(target, batch, descriptor, options.onUnpack);
    await batch.publish();
    if (options.reference === undefined) await target.references.keep(descriptor);
    else await target.references.tag(options.reference, descriptor);
    return { id, descriptor };
  } catch (error) {
    await collectAfterFailure(target);
    throw error;
  }
}
