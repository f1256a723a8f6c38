// What is written by calls, as a stream that is read: the writer waits for its reader.

import { once } from "node:events";
import { PassThrough } from "node:stream";

const WAITING_BYTES = 1 << 20;

/** The chunks that `produce` hands to its sink. Its error is the reader's; who stops reading ends it. */
export async function* produced(
  produce: (sink: (chunk: Uint8Array) => Promise<void>) => Promise<unknown>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = new PassThrough({ highWaterMark: WAITING_BYTES });
  const reader = new AbortController();
  const producing = produce(async (chunk) => {
    if (!stream.write(chunk)) await once(stream, "drain", { signal: reader.signal });
  }).then(
    () => void stream.end(),
    (error: unknown) =>
      void stream.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } finally {
    reader.abort();
    stream.destroy();
    await producing;
  }
}
