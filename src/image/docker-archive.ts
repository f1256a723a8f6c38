// docker save's archives as a source: manifest.json names configs and layers by member name. The
// manifest made here is a function of those alone, so one archive always gives one manifest.
// https://github.com/moby/docker-image-spec/blob/main/v1.2.md#combined-image-json--filesystem-changeset-format

import { EngineError } from "../errors.js";
import {
  type Descriptor,
  DOCUMENT_LIMIT_BYTES,
  JsonFields,
  layerType,
  makeDescriptor,
  OCI_MANIFEST,
  parseImageConfig,
  parseJson,
  parseReference,
} from "../oci/index.js";
import { DETECT_BYTES, decompress, detect } from "../tar/compression.js";
import { makeManifest } from "./changes.js";
import type { BlobTarget, StoredBlob } from "./image-target.js";
import type { OfferedImage } from "./load.js";
import type { Members } from "./members.js";

const TITLE = "manifest.json";

/** The images of a docker archive, their manifests and blobs stored in the target. Throws EngineError DATA_LOSS, INVALID_ARGUMENT. */
export async function dockerImages(
  members: Members,
  target: BlobTarget,
  manifestBytes: Uint8Array,
): Promise<OfferedImage[]> {
  const items = parseJson(manifestBytes, TITLE);
  if (!Array.isArray(items) || items.length === 0) {
    throw new EngineError("DATA_LOSS", `Cannot load image: ${TITLE} names no image`);
  }
  const offered: OfferedImage[] = [];
  for (const item of items as readonly unknown[]) {
    const fields = new JsonFields(item, TITLE);
    offered.push({
      descriptor: await imageOf(members, target, fields),
      references: fields.strings("RepoTags").map(parseReference),
    });
  }
  return offered;
}

async function imageOf(
  members: Members,
  target: BlobTarget,
  fields: JsonFields,
): Promise<Descriptor> {
  const configName = fields.requiredString("Config");
  const config = await need(members, configName);
  const promised = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(configName)?.[1];
  if (promised !== undefined && config.digest !== `sha256:${promised}`) {
    throw new EngineError(
      "DATA_LOSS",
      `Cannot load image: "${configName}" has the digest ${config.digest}`,
    );
  }
  const rawConfig = await target.blobs.readBytes(config.digest, DOCUMENT_LIMIT_BYTES);
  const { diffIds } = parseImageConfig(parseJson(rawConfig, configName), configName);
  const names = fields.strings("Layers");
  if (names.length !== diffIds.length) {
    throw new EngineError(
      "DATA_LOSS",
      `Cannot load image: ${TITLE} names ${names.length} layers, the config ${diffIds.length}`,
    );
  }
  const layers: Descriptor[] = [];
  for (const name of names) layers.push(await layerOf(target, await need(members, name)));
  const { rawManifest } = makeManifest(rawConfig, layers);
  return makeDescriptor(OCI_MANIFEST, await target.blobs.putBytes(rawManifest));
}

async function need(members: Members, name: string): Promise<StoredBlob> {
  const blob = await members.blob(name);
  if (blob !== undefined) return blob;
  throw new EngineError("DATA_LOSS", `Cannot load image: "${name}" is missing in the archive`);
}

/** The layer with its type by its first bytes; a packing without a type of its own is undone. */
async function layerOf(target: BlobTarget, blob: StoredBlob): Promise<Descriptor> {
  const compression = detect(await firstBytes(target, blob));
  switch (compression) {
    case "none":
    case "gzip":
    case "zstd":
      return makeDescriptor(layerType(compression), blob);
    case "xz":
    case "bzip2": {
      const archive = decompress(target.blobs.stream(blob.digest), compression);
      return makeDescriptor(layerType("none"), await target.blobs.put(archive));
    }
  }
}

async function firstBytes(target: BlobTarget, blob: StoredBlob): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of target.blobs.stream(blob.digest)) {
    chunks.push(chunk);
    sizeBytes += chunk.byteLength;
    if (sizeBytes >= DETECT_BYTES) break;
  }
  return Buffer.concat(chunks);
}
