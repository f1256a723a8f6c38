// The documents of a remote image: from a name through indexes to one manifest and its config, all
// checked against each other before a single layer is asked for.

import type { DiffId, Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { validateImage } from "../image/index.js";
import {
  chooseManifest,
  type Descriptor,
  DOCUMENT_LIMIT_BYTES,
  familiarReference,
  formatPlatform,
  hostPlatform,
  isIndexType,
  type Manifest,
  type Platform,
  parseImageConfig,
  parseIndex,
  parseJson,
  parseManifest,
  type Reference,
} from "../oci/index.js";
import type { RemoteDocument, Repository } from "../registry/index.js";
import type { Store } from "../store/index.js";

/** An image of a registry whose documents are in the store. */
export interface RemoteImage {
  /** What the reference means there: a manifest's digest, or an index's. */
  readonly digest: Digest;
  /** Points at the manifest. */
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly id: Digest;
  readonly platform: Platform;
  /** Base first. */
  readonly diffIds: readonly DiffId[];
}

/** Indexes of indexes are rare, and never this deep. */
const DEEPEST_INDEX = 4;

/** Hold the store's lock shared. Throws EngineError. */
export async function pullDocuments(
  store: Store,
  repository: Repository,
  reference: Reference,
  platform: Platform | undefined,
): Promise<RemoteImage> {
  const name = reference.digest ?? reference.tag ?? "latest";
  const title = familiarReference(reference);
  const first = await repository.manifest(name);
  const { bytes, descriptor } = await followIndexes(repository, first, platform, title);
  const manifest = parseManifest(parseJson(bytes, title), title);
  const rawConfig = await pullConfig(store, repository, manifest.config);
  validateImage({ rawManifest: bytes, rawConfig });
  const id = manifest.config.digest;
  const config = parseImageConfig(parseJson(rawConfig, id), id);
  await store.blobs.putBytes(bytes, descriptor);
  return {
    digest: first.descriptor.digest,
    descriptor: { ...descriptor, mediaType: manifest.mediaType },
    manifest,
    id,
    platform: config.platform,
    diffIds: config.diffIds,
  };
}

async function followIndexes(
  repository: Repository,
  first: RemoteDocument,
  platform: Platform | undefined,
  title: string,
): Promise<RemoteDocument> {
  let document = first;
  for (let depth = 0; isIndexType(document.descriptor.mediaType); depth++) {
    const index = parseIndex(parseJson(document.bytes, title), title);
    const chosen = depth < DEEPEST_INDEX ? chooseManifest(index, platform) : undefined;
    if (chosen === undefined) {
      const wanted = formatPlatform(platform ?? hostPlatform());
      throw new EngineError(
        "NOT_FOUND",
        `Cannot pull "${title}": no matching manifest for ${wanted} in the manifest list entries`,
      );
    }
    document = await repository.manifest(chosen.digest);
    if (document.bytes.byteLength !== chosen.sizeBytes) {
      throw new EngineError(
        "DATA_LOSS",
        `Cannot pull "${title}": manifest "${chosen.digest}" has ${document.bytes.byteLength} bytes instead of ${chosen.sizeBytes}`,
      );
    }
  }
  return document;
}

async function pullConfig(
  store: Store,
  repository: Repository,
  config: Descriptor,
): Promise<Uint8Array> {
  if (config.sizeBytes > DOCUMENT_LIMIT_BYTES) {
    throw new EngineError(
      "DATA_LOSS",
      `Cannot pull "${config.digest}": ${config.sizeBytes} bytes are more than a config may have`,
    );
  }
  if (!(await store.blobs.has(config.digest))) {
    await store.blobs.put(repository.download(config), config);
  }
  return await store.blobs.readBytes(config.digest, DOCUMENT_LIMIT_BYTES);
}
