// All layers of an image, unpacked, base first: a layer's archive may leave out directories that a
// layer below describes, so each needs those below it to be there.

import type { ChainId } from "../digest.js";
import { EngineError } from "../errors.js";
import type { StoredImage } from "./images.js";
import type { LayerStore } from "./layers.js";

/** How layers are unpacked. */
export interface UnpackImageOptions {
  /** Called with the number of the layer (base is 0) and the archive bytes unpacked so far. */
  readonly progress?: (layer: number, doneBytes: number) => void;
}

/** Unpacks what is missing; returns the layers' directories, base first. Errors as LayerStore.ensure. */
export async function unpackImage(
  layers: LayerStore,
  image: StoredImage,
  options: UnpackImageOptions,
): Promise<string[]> {
  const { manifest, config } = image;
  if (manifest.layers.length !== config.diffIds.length) {
    throw new EngineError(
      "DATA_LOSS",
      `Cannot unpack "${image.id}": the manifest has ${manifest.layers.length} layers, the config ${config.diffIds.length}`,
    );
  }
  const paths: string[] = [];
  await using batch = await layers.batch();
  for (const [n, { digest }] of manifest.layers.entries()) {
    await batch.add({
      diffIds: config.diffIds.slice(0, n + 1),
      open: () => image.blob(digest),
      blob: digest,
      progress: (doneBytes) => options.progress?.(n, doneBytes),
    });
    paths.push(layers.path(image.chain[n] as ChainId));
  }
  await batch.publish();
  return paths;
}
