// history: how an image was made, newest step first.

import type { Digest } from "../digest.js";
import { historyOf } from "../image/index.js";
import type { Store } from "../store/index.js";

/** One step. `imageId` is known of the last step only: docker shows "<missing>" for the others. */
export interface HistoryStep {
  readonly imageId: Digest | undefined;
  readonly created: Date | undefined;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  readonly sizeBytes: number;
  /** The names of the image; empty for all steps but the last. */
  readonly names: readonly string[];
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT. */
export async function history(store: Store, image: string): Promise<HistoryStep[]> {
  const record = await store.resolve(image);
  return historyOf(record)
    .map(
      (line): Omit<HistoryStep, "imageId" | "names"> => ({
        created: line.created === undefined ? undefined : new Date(line.created),
        createdBy: line.createdBy,
        author: line.author,
        comment: line.comment,
        sizeBytes: line.sizeBytes,
      }),
    )
    .reverse()
    .map((step, n) => ({
      ...step,
      imageId: n === 0 ? record.id : undefined,
      names: n === 0 ? record.names : [],
    }));
}
