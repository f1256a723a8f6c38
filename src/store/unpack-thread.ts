// Entry file of the unpacking thread: one job at a time, as the main thread sends them. It takes
// decompressing, hashing and writing off the thread that downloads and serves.

import { createReadStream } from "node:fs";
import { parentPort } from "node:worker_threads";
import { assert } from "../assert.js";
import { asFsError } from "../node-errors.js";
import { unpackLayer } from "./unpack.js";
import { failureOf, type UnpackJob, type UnpackMessage, type UnpackOrder } from "./unpack-job.js";

assert(parentPort !== null, "unpack-thread is a worker's entry file");
const port = parentPort;

const READ_CHUNK_BYTES = 1 << 20;
const TELL_EVERY_BYTES = 4 << 20;

function tell(message: UnpackMessage): void {
  port.postMessage(message);
}

/** Who waits for the trees below; one at a time, as there is one job. */
let hearBelow: (trees: readonly string[]) => void = () => undefined;

async function below(): Promise<readonly string[]> {
  return await new Promise((resolve) => {
    hearBelow = resolve;
    tell({ kind: "applied" });
  });
}

async function unpack(job: UnpackJob): Promise<void> {
  const { blobPath, tree, ...options } = job;
  let readBytes = 0;
  let toldBytes = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    const file = createReadStream(blobPath, { highWaterMark: READ_CHUNK_BYTES });
    for await (const chunk of file as AsyncIterable<Uint8Array>) {
      readBytes += chunk.byteLength;
      yield chunk;
    }
  }
  const progress = (doneBytes: number): void => {
    if (doneBytes - toldBytes < TELL_EVERY_BYTES) return;
    toldBytes = doneBytes;
    tell({ kind: "progress", doneBytes, readBytes });
  };
  try {
    const { sizeBytes } = await unpackLayer(source(), tree, { ...options, below, progress });
    tell({ kind: "done", sizeBytes });
  } catch (error) {
    tell({ kind: "failed", failure: failureOf(asFsError(error, "unpack", tree)) });
  }
}

port.on("message", (order: UnpackOrder) => {
  if (order.kind === "job") void unpack(order.job);
  else hearBelow(order.trees);
});
