// One blob from a registry, as a stream that survives broken connections: what is missing is asked
// for by Range. Whether the bytes are right is seen by who hashes them.

import { EngineError } from "../errors.js";
import type { Descriptor } from "../oci/index.js";
import type { HttpResponse } from "./http-client.js";
import type { Repository } from "./repository.js";
import { pauseMs } from "./retry.js";
import { TransferError } from "./transfer-error.js";

/** A try that brought so much counts as headway. */
const HEADWAY_BYTES = 64 * 1024;

/**
 * Exactly the bytes of a blob, in chunks. Throws EngineError UNAVAILABLE when the registry cannot
 * be reached any more, DATA_LOSS when it has another number of bytes.
 */
export async function* downloadBlob(
  repository: Repository,
  blob: Descriptor,
): AsyncGenerator<Uint8Array> {
  const { session } = repository;
  let doneBytes = 0;
  for (let failures = 0; ; ) {
    const triedAt = doneBytes;
    try {
      const response = await request(repository, blob, doneBytes);
      let skipBytes = doneBytes - startOf(response, blob, doneBytes);
      for await (const chunk of response.body()) {
        const skipped = Math.min(skipBytes, chunk.byteLength);
        skipBytes -= skipped;
        if (skipped === chunk.byteLength) continue;
        doneBytes += chunk.byteLength - skipped;
        if (doneBytes > blob.sizeBytes) throw wrongLength(blob, `more than ${blob.sizeBytes}`);
        yield chunk.subarray(skipped);
      }
      if (doneBytes === blob.sizeBytes) return;
      throw new TransferError("broken", `the answer ends after ${doneBytes} bytes`);
    } catch (error) {
      failures = doneBytes - triedAt >= HEADWAY_BYTES ? 1 : failures + 1;
      if (!session.isPassing(error) || failures >= session.patience.attempts) {
        throw session.toEngineError(error);
      }
    }
    await session.pause(pauseMs(session.patience, failures));
  }
}

async function request(
  repository: Repository,
  blob: Descriptor,
  doneBytes: number,
): Promise<HttpResponse> {
  return await repository.session.send({
    method: "GET",
    target: repository.target(`blobs/${blob.digest}`),
    headers: doneBytes === 0 ? {} : { range: `bytes=${doneBytes}-` },
    scopes: [repository.scope("pull")],
    expect: [200, 206],
    task: "pull",
    object: blob.digest,
  });
}

/** Where the answer begins: servers may know no ranges. Throws DATA_LOSS for another length than that of the blob. */
function startOf(response: HttpResponse, blob: Descriptor, doneBytes: number): number {
  const { lengthBytes } = response;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.header("content-range") ?? "");
  if (response.status === 206 && range !== null) {
    const [, start = "", whole] = range;
    if (Number(start) <= doneBytes && (whole === "*" || Number(whole) === blob.sizeBytes)) {
      return Number(start);
    }
    response.discard();
    throw wrongLength(blob, `${whole}, sent from ${start},`);
  }
  if (response.status === 206) {
    response.discard();
    throw new TransferError("broken", "a part of unknown place was sent");
  }
  if (lengthBytes === undefined || lengthBytes === blob.sizeBytes) return 0;
  response.discard();
  throw wrongLength(blob, String(lengthBytes));
}

function wrongLength(blob: Descriptor, length: string): EngineError {
  return new EngineError(
    "DATA_LOSS",
    `Cannot pull "${blob.digest}": the registry has ${length} bytes instead of ${blob.sizeBytes}`,
  );
}
