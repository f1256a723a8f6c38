// From a layer's blob to its tree: unpack, check against the diff ID. Where and when is layers.ts.

import type { DiffId } from "../digest.js";
import { EngineError } from "../errors.js";
import { applyTar } from "../layer/index.js";
import { decompress } from "../tar/compression.js";
import { impliedBy } from "./implied-directory.js";
import type { LayerFormat } from "./layer-format.js";

/** Called with the bytes of the uncompressed archive done so far. */
export type UnpackProgress = (doneBytes: number) => void;

/** The trees of the layers below, topmost first, once they are whole. */
export type BelowTrees = () => Promise<readonly string[]>;

/** What the archive must be, and how its tree is written. */
export interface UnpackOptions {
  readonly diffId: DiffId;
  readonly format: LayerFormat;
  /** Asked for once all members are in the tree. */
  readonly below: BelowTrees;
  readonly progress?: UnpackProgress | undefined;
}

/**
 * Unpacks an archive, packed in any known way, into the empty directory `tree`. Throws EngineError
 * DATA_LOSS when the archive is damaged or has another diff ID, INVALID_ARGUMENT for members that no
 * layer can hold, FsError.
 */
export async function unpackLayer(
  source: AsyncIterable<Uint8Array>,
  tree: string,
  options: UnpackOptions,
): Promise<{ readonly sizeBytes: number }> {
  const { diffId, format, progress } = options;
  const archive = decompress(source);
  let below: readonly string[] = [];
  const applied = await applyTar(
    progress === undefined ? archive : counted(archive, progress),
    tree,
    {
      xattrPrefix: format.xattrPrefix,
      ownership: format.ownership,
      impliedDirectory: (path) => impliedBy(below)(path),
      beforeImplied: async () => {
        below = await options.below();
      },
    },
  );
  if (applied.diffId !== diffId) {
    throw new EngineError(
      "DATA_LOSS",
      `Cannot unpack "${diffId}": the layer's archive has the diff ID ${applied.diffId}`,
    );
  }
  return { sizeBytes: applied.sizeBytes };
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  progress: UnpackProgress,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of source) {
    doneBytes += chunk.byteLength;
    progress(doneBytes);
    yield chunk;
  }
}
