// What verbs read: a file, a directory, or a stream that is open already (standard input).

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import type { Progress } from "./progress.js";

const CHUNK_BYTES = 1 << 20;

/** Bytes to read, with their number where it is known. */
export interface ByteInput {
  readonly stream: AsyncIterable<Uint8Array>;
  /** For messages and progress. */
  readonly title: string;
  readonly totalBytes: number | undefined;
}

/** Throws EngineError NOT_FOUND. */
export async function openInput(
  input: string | Readable,
): Promise<ByteInput | { readonly directory: string }> {
  if (typeof input !== "string") return { stream: input, title: "stdin", totalBytes: undefined };
  const found = await stat(input).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new EngineError("NOT_FOUND", `Cannot open "${input}": no such file or directory`);
  });
  if (found.isDirectory()) return { directory: input };
  const stream = createReadStream(input, { highWaterMark: CHUNK_BYTES });
  return { stream, title: input, totalBytes: found.isFile() ? found.size : undefined };
}

/** The same bytes, with their progress told. */
export async function* counted(
  input: ByteInput,
  progress: Progress | undefined,
): AsyncGenerator<Uint8Array> {
  const { title, totalBytes } = input;
  let doneBytes = 0;
  for await (const chunk of input.stream) {
    yield chunk;
    doneBytes += chunk.byteLength;
    progress?.({ object: title, action: "reading", doneBytes, totalBytes });
  }
}
