// All layers of an image, unpacked, base first: a layer's archive may leave out directories that a
// layer below describes, so each needs those below it to be there.

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
  for (const [n, { digest }] of manifest.layers.entries()) {
    const path = await layers.ensure({
      diffIds: config.diffIds.slice(0, n + 1),
      open: () => image.blob(digest),
      progress: (doneBytes) => options.progress?.(n, doneBytes),
    });
    paths.push(path);
  }
  return paths;
}
