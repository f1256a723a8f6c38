// push: images of the store into a registry. Layers go first, then the config, then the manifest
// that makes them an image there.

import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { documentBytes } from "../image/index.js";
import {
  type Descriptor,
  descriptorJson,
  familiarReference,
  familiarRepository,
  type LayerCompression,
  parseReference,
  REGISTRY_DIGEST,
  type Reference,
  withAnnotations,
} from "../oci/index.js";
import { type ConnectionOptions, RegistrySession, Repository } from "../registry/index.js";
import type { Store, StoredImage } from "../store/index.js";
import { isBareName } from "./pull.js";
import { pushBlob, pushLayers } from "./push-layers.js";
import type { OnTransfer } from "./transfer.js";

export interface PushRequest {
  readonly reference: string;
  /** Every tag of the repository that the store has. */
  readonly allTags?: boolean;
  /** How layers are packed; by default those that are not packed are gzipped, others go as they are. */
  readonly compression?: LayerCompression;
  readonly connection?: ConnectionOptions;
  readonly onEvent?: OnTransfer;
}

/** An image that was pushed. */
export interface PushedImage {
  readonly reference: Reference;
  /** Of the manifest in the registry. */
  readonly digest: Digest;
  /** Of the manifest. */
  readonly sizeBytes: number;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, UNAUTHORIZED, UNAVAILABLE, UNSUPPORTED; FsError. */
export async function push(store: Store, request: PushRequest): Promise<PushedImage[]> {
  const wanted = parseReference(request.reference);
  if (wanted.digest !== undefined) {
    throw new EngineError("INVALID_ARGUMENT", "cannot push a digest reference");
  }
  if (request.allTags === true && !isBareName(wanted, request.reference)) {
    throw new EngineError("INVALID_ARGUMENT", "tag can't be used with --all-tags/-a");
  }
  await using _lease = await store.lock.acquire("shared");
  const references = await referencesOf(store, wanted, request.allTags === true);
  using session = await RegistrySession.open(wanted.domain, request.connection ?? {});
  const repository = new Repository(session, wanted.path);
  const pushed: PushedImage[] = [];
  for (const [reference, descriptor] of references) {
    const image = await store.image(descriptor);
    request.onEvent?.({ kind: "image", reference, layers: image.manifest.layers.length });
    const result = await pushOne(store, repository, reference, image, request);
    await store.references.set(
      reference,
      withAnnotations(descriptor, {
        [REGISTRY_DIGEST]: result.digest,
      }),
    );
    pushed.push(result);
  }
  return pushed;
}

async function referencesOf(
  store: Store,
  wanted: Reference,
  allTags: boolean,
): Promise<[Reference, Descriptor][]> {
  const found = (await store.references.list()).flatMap(
    ({ reference, descriptor }): [Reference, Descriptor][] =>
      reference !== undefined &&
      reference.domain === wanted.domain &&
      reference.path === wanted.path &&
      reference.digest === undefined &&
      (allTags || reference.tag === wanted.tag)
        ? [[reference, descriptor]]
        : [],
  );
  if (found.length > 0) return found;
  throw new EngineError(
    "NOT_FOUND",
    allTags
      ? `An image does not exist locally with the tag: ${familiarRepository(wanted)}`
      : `Cannot push "${familiarReference(wanted)}": an image does not exist locally with this tag`,
  );
}

async function pushOne(
  store: Store,
  repository: Repository,
  reference: Reference,
  image: StoredImage,
  request: PushRequest,
): Promise<PushedImage> {
  const layers = await pushLayers(store, repository, image, request);
  await pushBlob(repository, [], {
    digest: image.id,
    sizeBytes: image.rawConfig.byteLength,
    open: async function* config() {
      yield image.rawConfig;
    },
  });
  const same = layers.every((layer, n) => layer.digest === image.manifest.layers[n]?.digest);
  const bytes = same
    ? image.rawManifest
    : documentBytes({ ...image.manifest.raw, layers: layers.map(descriptorJson) });
  const tag = reference.tag ?? "latest";
  const digest = await repository.putManifest(tag, bytes, image.manifest.mediaType);
  return { reference, digest, sizeBytes: bytes.byteLength };
}
