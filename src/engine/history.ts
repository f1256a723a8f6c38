// history: how an image was made, newest step first.

import type { Digest } from "../digest.js";
import { historyOf } from "../image/index.js";
import type { ImageRecord, Store } from "../store/index.js";

/** One step. `imageId` is known of the last step, and of images it was made from here: docker shows "<missing>" for the others. */
export interface HistoryStep {
  readonly imageId: Digest | undefined;
  readonly created: Date | undefined;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  /** Of the unpacked layer's archive where it is known, else of its blob; 0 for a step without one. */
  readonly sizeBytes: number;
  /** The names of the image that the step ends with. */
  readonly names: readonly string[];
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT. */
export async function history(store: Store, image: string): Promise<HistoryStep[]> {
  const record = await store.resolve(image);
  const lines = historyOf(record);
  const images = imagesByLength(record, await store.images());
  const unpacked = await Promise.all(
    record.chain.map((chainId) => store.layers.trySizeBytes(chainId)),
  );
  let layer = 0;
  return lines
    .map((line, n): HistoryStep => {
      const known = images.get(n + 1);
      const sizeBytes = line.layer === undefined ? 0 : (unpacked[layer++] ?? line.sizeBytes);
      return {
        imageId: known?.id,
        created: line.created === undefined ? undefined : new Date(line.created),
        createdBy: line.createdBy,
        author: line.author,
        comment: line.comment,
        sizeBytes,
        names: known?.names ?? [],
      };
    })
    .reverse();
}

/** The image and those it was made from, by the number of their steps. */
function imagesByLength(
  record: ImageRecord,
  all: readonly ImageRecord[],
): Map<number, ImageRecord> {
  const found = new Map<number, ImageRecord>();
  let next: ImageRecord | undefined = record;
  while (next !== undefined) {
    const steps = historyOf(next).length;
    // An image that is no part of this one, whatever index.json says, ends the chain; so does a circle.
    if (found.has(steps)) break;
    found.set(steps, next);
    const parent: Digest | undefined = next.parent;
    next = all.find(({ id }) => id === parent);
    if (next !== undefined && historyOf(next).length >= steps) break;
  }
  return found;
}
