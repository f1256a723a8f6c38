// What a commit of a sandbox stands on: the directory itself, as the first layer of the image. It is
// archived each time, because it may have changed; the same directory gives the same layer.

import { chainIds } from "../../digest.js";
import type { ImageDocuments } from "../../image/index.js";
import { directoryTree, wholeTree } from "../../layer/index.js";
import { ROOT_PATH } from "../../path.js";
import type { Container, Store } from "../../store/index.js";
import { appendArchives } from "../archive-uppers.js";
import { putLayerBlob } from "../layer-blob.js";

/** The image of the directory alone, and the container as one of that image. Throws EngineError, FsError. */
export async function withDirectoryLayer(
  store: Store,
  image: ImageDocuments,
  container: Container & { readonly directory: string },
): Promise<{ readonly image: ImageDocuments; readonly container: Container }> {
  using tree = directoryTree(container.directory);
  const entries = wholeTree(tree, { as: ROOT_PATH, oneFileSystem: true });
  const { descriptor, diffId } = await putLayerBlob(store, entries);
  // Not when it was made: the same directory is to give the same image.
  const created = new Date(0);
  return {
    image: appendArchives(image, [{ descriptor, diffId, created, comment: container.directory }]),
    container: { ...container, diffIds: [diffId], chain: chainIds([diffId]) },
  };
}
