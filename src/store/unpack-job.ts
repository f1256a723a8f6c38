// What the main thread and the unpacking thread say to each other. Plain data only: it is cloned.

import type { DiffId } from "../digest.js";
import { EngineError, type EngineErrorCode, FsError } from "../errors.js";
import type { LayerFormat } from "./layer-format.js";

/** One layer to be unpacked from a blob's file. */
export interface UnpackJob {
  readonly blobPath: string;
  readonly tree: string;
  readonly diffId: DiffId;
  readonly format: LayerFormat;
}

/** What the thread is told: a job, then the answer to "applied". */
export type UnpackOrder =
  | { readonly kind: "job"; readonly job: UnpackJob }
  | { readonly kind: "below"; readonly trees: readonly string[] };

/** What the thread says: any number of "progress", "applied", then one of the others. */
export type UnpackMessage =
  | { readonly kind: "progress"; readonly doneBytes: number; readonly readBytes: number }
  /** All members are in the tree: what do the layers below say of directories that none described? */
  | { readonly kind: "applied" }
  | { readonly kind: "done"; readonly sizeBytes: number }
  | { readonly kind: "failed"; readonly failure: UnpackFailure };

/** An error that keeps its family on its way between threads. */
export type UnpackFailure =
  | { readonly family: "engine"; readonly code: EngineErrorCode; readonly message: string }
  | {
      readonly family: "fs";
      readonly errno: number;
      readonly operation: string;
      readonly path: string;
    }
  | { readonly family: "other"; readonly message: string };

export function failureOf(error: unknown): UnpackFailure {
  if (error instanceof EngineError) {
    return { family: "engine", code: error.code, message: error.message };
  }
  if (error instanceof FsError) {
    const { errno, operation, path } = error;
    return { family: "fs", errno, operation, path };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { family: "other", message };
}

export function errorOf(failure: UnpackFailure): Error {
  switch (failure.family) {
    case "engine":
      return new EngineError(failure.code, failure.message);
    case "fs":
      return new FsError(failure.errno, failure.operation, failure.path);
    case "other":
      return new Error(failure.message);
  }
}
