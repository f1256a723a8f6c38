// OCI image layouts as a source: index.json, and the blobs it leads to.
// https://github.com/opencontainers/image-spec/blob/main/image-layout.md

import { type Digest, hexOf } from "../digest.js";
import { EngineError } from "../errors.js";
import {
  annotatedReference,
  chooseManifest,
  type Descriptor,
  DOCUMENT_LIMIT_BYTES,
  type Index,
  isIndexType,
  isManifestType,
  JsonFields,
  type Platform,
  parseIndex,
  parseJson,
  parseManifest,
  type Reference,
} from "../oci/index.js";
import type { BlobTarget } from "./image-target.js";
import type { OfferedImage } from "./load.js";
import type { Members } from "./members.js";

/** Indexes point at indexes seldom, and never this deep. */
const DEEPEST_INDEX = 4;

/** The images of a layout, all their blobs stored in the target. Throws EngineError DATA_LOSS, UNSUPPORTED, NOT_FOUND. */
export async function layoutImages(
  members: Members,
  target: BlobTarget,
  indexBytes: Uint8Array,
  platform: Platform | undefined,
): Promise<OfferedImage[]> {
  await checkLayout(members);
  const index = parseIndex(parseJson(indexBytes, "index.json"), "index.json");
  if (index.manifests.length === 0) {
    throw new EngineError("DATA_LOSS", "Cannot load image: index.json names no image");
  }
  const byDigest = new Map<Digest, { descriptor: Descriptor; references: Reference[] }>();
  for (const entry of index.manifests) {
    const descriptor = await imageOf(members, target, entry, platform, DEEPEST_INDEX);
    const offered = byDigest.get(descriptor.digest) ?? { descriptor, references: [] };
    const reference = annotatedReference(entry);
    if (reference !== undefined) offered.references.push(reference);
    byDigest.set(descriptor.digest, offered);
  }
  return [...byDigest.values()];
}

async function checkLayout(members: Members): Promise<void> {
  const bytes = await members.document("oci-layout");
  if (bytes === undefined) {
    throw new EngineError("DATA_LOSS", "Cannot load image: oci-layout is missing");
  }
  const version = new JsonFields(parseJson(bytes, "oci-layout"), "oci-layout").string(
    "imageLayoutVersion",
  );
  if (version === "1.0.0") return;
  throw new EngineError("UNSUPPORTED", `Cannot load image: layout version "${version ?? ""}"`);
}

/** Follows indexes to a manifest and stores everything that it names. */
async function imageOf(
  members: Members,
  target: BlobTarget,
  descriptor: Descriptor,
  platform: Platform | undefined,
  depth: number,
): Promise<Descriptor> {
  const { digest, mediaType } = descriptor;
  const bytes = await readDocument(members, target, descriptor);
  if (isIndexType(mediaType)) {
    const chosen = depth > 0 ? choose(parseIndex(bytes, digest), platform) : undefined;
    if (chosen === undefined) {
      throw new EngineError("NOT_FOUND", `Cannot load "${digest}": no image for this platform`);
    }
    return await imageOf(members, target, chosen, platform, depth - 1);
  }
  if (!isManifestType(mediaType)) {
    throw new EngineError("UNSUPPORTED", `Cannot load "${digest}": unknown type "${mediaType}"`);
  }
  const manifest = parseManifest(bytes, digest);
  if (manifest.raw["mediaType"] !== undefined && manifest.mediaType !== mediaType) {
    throw new EngineError("DATA_LOSS", `Cannot load "${digest}": it is not of type "${mediaType}"`);
  }
  for (const part of [manifest.config, ...manifest.layers]) await need(members, target, part);
  return { ...descriptor, annotations: new Map() };
}

/** The one of the platform; an index of one image means that one. */
function choose(index: Index, platform: Platform | undefined): Descriptor | undefined {
  const fitting = chooseManifest(index, platform);
  if (fitting !== undefined || platform !== undefined) return fitting;
  const images = index.manifests.filter(
    (entry) => entry.platform?.os !== "unknown" && isManifestType(entry.mediaType),
  );
  return images.length === 1 ? images[0] : undefined;
}

async function readDocument(
  members: Members,
  target: BlobTarget,
  descriptor: Descriptor,
): Promise<unknown> {
  await need(members, target, descriptor);
  const bytes = await target.blobs.readBytes(descriptor.digest, DOCUMENT_LIMIT_BYTES);
  return parseJson(bytes, descriptor.digest);
}

/** The blob is a member of the archive, and of the size that was said. */
async function need(members: Members, target: BlobTarget, descriptor: Descriptor): Promise<void> {
  const { digest, sizeBytes } = descriptor;
  const blob = await members.blob(`blobs/sha256/${hexOf(digest)}`);
  // An archive may leave out what the receiver has (docker does for layers it shares).
  const actual =
    blob?.sizeBytes ??
    ((await target.blobs.has(digest)) ? await target.blobs.size(digest) : undefined);
  if (actual === undefined) {
    throw new EngineError("DATA_LOSS", `Cannot load image: blob "${digest}" is missing`);
  }
  if (actual !== sizeBytes) {
    throw new EngineError(
      "DATA_LOSS",
      `Cannot load image: blob "${digest}" has ${actual} bytes instead of ${sizeBytes}`,
    );
  }
}
