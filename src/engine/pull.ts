// pull: images from a registry into the store. An image gets its name when every byte of it has
// been checked; until then nothing of it is visible.

import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { collectAfterFailure } from "../image/index.js";
import {
  familiarReference,
  formatPlatform,
  type Platform,
  parsePlatformText,
  parseReference,
  platformMatches,
  REGISTRY_DIGEST,
  type Reference,
  withAnnotations,
} from "../oci/index.js";
import { type ConnectionOptions, RegistrySession, Repository } from "../registry/index.js";
import type { Store } from "../store/index.js";
import { pullDocuments } from "./pull-documents.js";
import { isComplete, pullLayers } from "./pull-layers.js";
import type { OnTransfer } from "./transfer.js";

export interface PullRequest {
  /** "debian", "localhost:5000/app:1.0", "debian@sha256:…". */
  readonly reference: string;
  /** "linux/arm64"; this machine's by default. */
  readonly platform?: string;
  /** Every tag of the repository. */
  readonly allTags?: boolean;
  readonly connection?: ConnectionOptions;
  readonly onEvent?: OnTransfer;
}

/** An image that was pulled. */
export interface PulledImage {
  readonly reference: Reference;
  /** What the name means in the registry: the digest of a manifest or index. */
  readonly digest: Digest;
  /** The image ID. */
  readonly id: Digest;
  /** False when the store had this very image under this name. */
  readonly newer: boolean;
}

/**
 * Pulls the image of a reference, or of every tag. Throws EngineError NOT_FOUND, UNAUTHORIZED,
 * UNAVAILABLE, DATA_LOSS (not what was promised), UNSUPPORTED, INVALID_ARGUMENT; FsError. Then the
 * name means what it meant before.
 */
export async function pull(store: Store, request: PullRequest): Promise<PulledImage[]> {
  const named = parseReference(request.reference);
  // With a digest, a tag says nothing more.
  const wanted = named.digest === undefined ? named : { ...named, tag: undefined };
  const platform = request.platform === undefined ? undefined : parsePlatformText(request.platform);
  if (request.allTags === true && !isBareName(wanted, request.reference)) {
    throw new EngineError("INVALID_ARGUMENT", "tag can't be used with --all-tags/-a");
  }
  using session = await RegistrySession.open(wanted.domain, request.connection ?? {});
  const repository = new Repository(session, wanted.path);
  if (request.allTags !== true)
    return [await pullOne(store, repository, wanted, request, platform)];
  const pulled: PulledImage[] = [];
  for (const tag of await repository.tags()) {
    const reference = { ...wanted, tag };
    pulled.push(await pullOne(store, repository, reference, request, platform));
  }
  return pulled;
}

/** True for a name without tag and digest: the default tag is meant. */
export function isBareName(reference: Reference, text: string): boolean {
  const last = text.slice(text.lastIndexOf("/") + 1);
  return reference.digest === undefined && !last.includes(":");
}

async function pullOne(
  store: Store,
  repository: Repository,
  reference: Reference,
  request: PullRequest,
  platform: Platform | undefined,
): Promise<PulledImage> {
  try {
    // Held until the name is set: what comes in is not garbage.
    await using _lease = await store.lock.acquire("shared");
    const title = familiarReference(reference);
    const remote = await pullDocuments(store, repository, reference, platform);
    if (platform !== undefined) expectPlatform(remote.platform, platform, title);
    const { descriptor, digest, id } = remote;
    const complete = await isComplete(store, remote);
    request.onEvent?.({
      kind: "image",
      reference,
      layers: complete ? 0 : remote.manifest.layers.length,
    });
    if (!complete) await pullLayers(store, repository, remote, request.onEvent);
    const before = await store.references.get(reference);
    await store.references.set(
      reference,
      withAnnotations(descriptor, {
        [REGISTRY_DIGEST]: digest,
      }),
    );
    return { reference, digest, id, newer: before?.digest !== descriptor.digest };
  } catch (error) {
    await collectAfterFailure(store);
    throw error;
  }
}

function expectPlatform(found: Platform, wanted: Platform, title: string): void {
  // Many configs name no variant.
  const { variant: _, ...bare } = wanted;
  if (platformMatches(found, found.variant === undefined ? bare : wanted)) return;
  throw new EngineError(
    "NOT_FOUND",
    `Cannot pull "${title}": the image does not match the specified platform: wanted ${formatPlatform(wanted)}, actual: ${formatPlatform(found)}`,
  );
}
