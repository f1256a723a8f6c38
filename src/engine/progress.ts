// How long work tells how far it is: events, never text. The CLI makes bars of them.

/** A step of a verb that takes long. `doneBytes` grows; `totalBytes` is undefined when it is not known. */
export interface ProgressEvent {
  /** What is worked on: a blob's digest, a layer's number, a path. */
  readonly object: string;
  readonly action: "reading" | "unpacking" | "writing";
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
}

/** Called often; must be cheap and must not throw. */
export type Progress = (event: ProgressEvent) => void;

/** The progress of unpacking an image's layers, as UnpackImageOptions wants it. */
export function unpackProgress(
  diffIds: readonly string[],
  progress: Progress | undefined,
): { progress?: (layer: number, doneBytes: number) => void } {
  if (progress === undefined) return {};
  return {
    progress: (layer, doneBytes) =>
      progress({
        object: diffIds[layer] ?? "",
        action: "unpacking",
        doneBytes,
        totalBytes: undefined,
      }),
  };
}
