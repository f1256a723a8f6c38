// load: images of an archive (docker's or OCI's, packed or not) or of an OCI layout directory.

import type { Readable } from "node:stream";
import { type LoadedImage, load as loadImages } from "../image/index.js";
import type { Store } from "../store/index.js";
import { counted, openInput } from "./input.js";
import type { Progress } from "./progress.js";

export interface LoadRequest {
  /** A file, a directory, or an open stream. */
  readonly input: string | Readable;
  readonly progress?: Progress;
}

/** Throws EngineError NOT_FOUND, DATA_LOSS, UNSUPPORTED; FsError. Then the store is as before. */
export async function load(store: Store, request: LoadRequest): Promise<LoadedImage[]> {
  const { input, progress } = request;
  const options =
    progress === undefined
      ? {}
      : {
          onUnpack: (layer: number, layers: number, doneBytes: number) =>
            progress({
              object: `layer ${layer + 1}/${layers}`,
              action: "unpacking",
              doneBytes,
              totalBytes: undefined,
            }),
        };
  const opened = await openInput(input);
  const source = "directory" in opened ? opened.directory : counted(opened, progress);
  return await loadImages(source, store, options);
}
