// One blob into a registry: whole in one request when its digest is known, in pieces when it is found
// on the way. A piece that was lost is sent again from where the registry says it is.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs

import { createHash } from "node:crypto";
import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import type { BodySource, HttpResponse } from "./http-client.js";
import { inPieces } from "./pieces.js";
import type { Repository } from "./repository.js";
import { pauseMs } from "./retry.js";

/** A blob that can be read any number of times. */
export interface KnownBlob extends BodySource {
  readonly digest: Digest;
}

/** What a stream turned out to be. */
export interface UploadedBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export type MountResult = "mounted" | "not mounted";

/** Beyond this a blob goes in pieces: a broken connection then costs one of them. */
const WHOLE_LIMIT_BYTES = 64 * 1024 * 1024;
const PIECE_BYTES = 16 * 1024 * 1024;
/** A registry may ask for larger pieces, which are held in memory. */
const LARGEST_PIECE_BYTES = 128 * 1024 * 1024;

/** Sends a blob whose digest is known. Throws EngineError. */
export async function uploadBlob(repository: Repository, blob: KnownBlob): Promise<void> {
  if (blob.sizeBytes > WHOLE_LIMIT_BYTES) {
    const { digest } = await uploadStream(repository, blob.open());
    if (digest === blob.digest) return;
    throw new EngineError("DATA_LOSS", `Cannot push "${blob.digest}": its bytes are damaged`);
  }
  const { session } = repository;
  for (let failures = 1; ; failures++) {
    const upload = await startUpload(repository, blob.digest);
    try {
      await commit(repository, upload.location, blob.digest, blob);
      return;
    } catch (error) {
      // What went wrong in the middle leaves a broken upload: the next try is a new one.
      const passing = error instanceof EngineError && error.code === "UNAVAILABLE";
      if (!passing || session.closed || failures >= session.patience.attempts) throw error;
    }
    await session.pause(pauseMs(session.patience, failures));
  }
}

/** Sends bytes in pieces. Throws EngineError; errors of the source as they are. */
export async function uploadStream(
  repository: Repository,
  source: AsyncIterable<Uint8Array>,
): Promise<UploadedBlob> {
  const upload = await startUpload(repository, "layer");
  let { location } = upload;
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const pieceBytes = Math.min(Math.max(PIECE_BYTES, upload.leastBytes), LARGEST_PIECE_BYTES);
  for await (const piece of inPieces(source, pieceBytes)) {
    hash.update(piece);
    location = await sendPiece(repository, location, piece, sizeBytes);
    sizeBytes += piece.byteLength;
  }
  const digest = `sha256:${hash.digest("hex")}` as Digest;
  try {
    await commit(repository, location, digest, undefined);
  } catch (error) {
    // The answer to a commit that succeeded may have been lost.
    if (!(error instanceof EngineError && error.code === "NOT_FOUND")) throw error;
    if (!(await repository.hasBlob(digest))) throw error;
  }
  return { digest, sizeBytes };
}

/** Asks for a blob of another repository. Whatever is said against it, the blob can still be sent. */
export async function mountBlob(
  repository: Repository,
  digest: Digest,
  from: string,
): Promise<MountResult> {
  const query = new URLSearchParams({ mount: digest, from });
  try {
    const response = await repository.session.send({
      method: "POST",
      target: repository.target(`blobs/uploads/?${query.toString()}`),
      body: new Uint8Array(0),
      scopes: [repository.scope("pull,push"), `repository:${from}:pull`],
      expect: [201, 202],
      task: "push",
      object: digest,
    });
    response.discard();
    return response.status === 201 ? "mounted" : "not mounted";
  } catch (error) {
    const refused = ["UNAUTHORIZED", "NOT_FOUND", "UNSUPPORTED"];
    if (error instanceof EngineError && refused.includes(error.code)) return "not mounted";
    throw error;
  }
}

async function startUpload(
  repository: Repository,
  object: string,
): Promise<{ readonly location: URL; readonly leastBytes: number }> {
  const response = await repository.session.send({
    method: "POST",
    target: repository.target("blobs/uploads/"),
    body: new Uint8Array(0),
    scopes: [repository.scope("pull,push")],
    expect: [202],
    task: "push",
    object,
  });
  response.discard();
  const least = response.header("oci-chunk-min-length") ?? "";
  return {
    location: locationOf(response),
    leastBytes: /^\d{1,12}$/.test(least) ? Number(least) : 0,
  };
}

/** Sends a piece that begins at `startBytes`; returns where the next one goes. */
async function sendPiece(
  repository: Repository,
  location: URL,
  piece: Uint8Array,
  startBytes: number,
): Promise<URL> {
  const { session } = repository;
  const end = startBytes + piece.byteLength;
  let target = location;
  let at = startBytes;
  for (let failures = 1; ; failures++) {
    try {
      const response = await session.send({
        method: "PATCH",
        target,
        headers: {
          "content-type": "application/octet-stream",
          "content-range": `${at}-${end - 1}`,
        },
        body: piece.subarray(at - startBytes),
        scopes: [repository.scope("pull,push")],
        expect: [201, 202, 204],
        task: "push",
        object: repository.path,
        attempts: 1,
      });
      response.discard();
      return locationOf(response);
    } catch (error) {
      const passing = error instanceof EngineError && error.code === "UNAVAILABLE";
      if (!passing || session.closed || failures >= session.patience.attempts) throw error;
    }
    await session.pause(pauseMs(session.patience, failures));
    const status = await uploadStatus(repository, target);
    if (status.nextBytes < startBytes || status.nextBytes > end) {
      throw new EngineError(
        "UNAVAILABLE",
        `Cannot push to "${repository.path}": the registry lost what it was sent`,
      );
    }
    target = status.location;
    at = status.nextBytes;
    if (at === end) return target;
  }
}

/** How far an upload has come. */
async function uploadStatus(
  repository: Repository,
  location: URL,
): Promise<{ readonly location: URL; readonly nextBytes: number }> {
  const response = await repository.session.send({
    method: "GET",
    target: location,
    scopes: [repository.scope("pull,push")],
    expect: [202, 204],
    task: "push",
    object: repository.path,
  });
  response.discard();
  // "0-0" says "nothing" as well as "one byte"; no piece of ours has one byte but the last.
  const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(response.header("range") ?? "")?.[1] ?? 0);
  return { location: locationOf(response), nextBytes: last === 0 ? 0 : last + 1 };
}

async function commit(
  repository: Repository,
  location: URL,
  digest: Digest,
  body: BodySource | undefined,
): Promise<void> {
  // The registry's own parameters go back as they came, to the letter.
  const joint = location.search === "" ? "?" : "&";
  const target = new URL(`${location.href}${joint}digest=${encodeURIComponent(digest)}`);
  const response = await repository.session.send({
    method: "PUT",
    target,
    headers: { "content-type": "application/octet-stream" },
    body: body ?? new Uint8Array(0),
    scopes: [repository.scope("pull,push")],
    expect: [201, 202, 204],
    task: "push",
    object: digest,
    // A body that was sent by half must not be sent again to the same place.
    ...(body === undefined ? {} : { attempts: 1 }),
  });
  response.discard();
}

function locationOf(response: HttpResponse): URL {
  const location = response.header("location");
  if (location !== undefined && URL.canParse(location, response.url.href)) {
    return new URL(location, response.url.href);
  }
  throw new EngineError("UNAVAILABLE", "Cannot push: the registry names no place to send bytes to");
}
