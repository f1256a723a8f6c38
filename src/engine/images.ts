// images: what is in the store, newest first. Filtering by name is here, columns are the CLI's.

import type { Digest } from "../digest.js";
import { parseReference, type Reference } from "../oci/index.js";
import type { ImageRecord, Store } from "../store/index.js";

/** One line: an image by one of its names; `reference` is undefined for a dangling image. */
export interface ImageLine {
  readonly id: Digest;
  readonly reference: Reference | undefined;
  /** What the name means in its registry: the digest of its manifest, or of the index it was pulled by. */
  readonly manifestDigest: Digest;
  readonly created: Date | undefined;
  readonly sizeBytes: number;
}

export interface ImagesRequest {
  /** Only this repository ("debian") or reference ("debian:12"). */
  readonly filter?: string;
}

/** One line for each name of each image. Throws EngineError INVALID_ARGUMENT for a bad filter. */
export async function images(store: Store, request: ImagesRequest = {}): Promise<ImageLine[]> {
  const lines = (await store.images()).flatMap(linesOf);
  if (request.filter === undefined) return lines;
  const wanted = parseReference(request.filter);
  const anyTag = !request.filter.slice(request.filter.lastIndexOf("/") + 1).includes(":");
  return lines.filter(
    ({ reference }) =>
      reference !== undefined &&
      reference.domain === wanted.domain &&
      reference.path === wanted.path &&
      (anyTag || reference.tag === wanted.tag),
  );
}

function linesOf(record: ImageRecord): ImageLine[] {
  const { id, created, sizeBytes, descriptor } = record;
  const names = record.references.length === 0 ? [undefined] : record.references;
  return names.map((reference, n) => ({
    id,
    reference,
    manifestDigest: record.registryDigests[n] ?? descriptor.digest,
    created,
    sizeBytes,
  }));
}
