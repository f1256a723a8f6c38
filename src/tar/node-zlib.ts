// Streams of node:zlib as async generators: backpressure both ways, errors as EngineError, and
// nothing left open when the consumer stops early.

import { pipeline, Readable, type Transform } from "node:stream";
import { EngineError } from "../errors.js";

/**
 * What comes out of `transform` when `source` goes in. Faults of the data (zlib's codes) become
 * DATA_LOSS, told as `task`; errors of the source pass through as they are.
 */
export async function* throughTransform(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
  task: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: Error | null | undefined;
  // pipeline destroys what is left over: the transform on errors, the source when we stop.
  pipeline(Readable.from(source, { objectMode: false }), transform, (error) => {
    failure = error;
  });
  try {
    for await (const chunk of transform) yield chunk as Uint8Array;
    if (failure) throw failure;
  } catch (error) {
    if (!isDataFault(error)) throw error;
    throw new EngineError("DATA_LOSS", `${task}: ${error.message}`, { cause: error });
  }
}

function isDataFault(error: unknown): error is Error {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^Z_/.test(error.code)
  );
}
