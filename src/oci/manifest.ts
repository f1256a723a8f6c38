// Manifest (config and layers of one image) and index (manifests by name or platform), OCI and
// docker schema 2. https://github.com/opencontainers/image-spec/blob/main/manifest.md, image-index.md

import { EngineError } from "../errors.js";
import { type Descriptor, parseDescriptor } from "./descriptor.js";
import { JsonFields, type JsonObject } from "./json.js";
import {
  DOCKER_MANIFEST,
  isConfigType,
  isIndexType,
  isManifestType,
  layerCompression,
  OCI_INDEX,
  OCI_MANIFEST,
} from "./media-type.js";
import { hostPlatform, type Platform, platformMatches } from "./platform.js";

/** One image: `layers` is base first. */
export interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: ReadonlyMap<string, string>;
  readonly raw: JsonObject;
}

/** Several manifests (or indexes) under one name, or the table of contents of a layout. */
export interface Index {
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations: ReadonlyMap<string, string>;
  readonly raw: JsonObject;
}

function unsupported(title: string, state: string): EngineError {
  return new EngineError("UNSUPPORTED", `Cannot read "${title}": ${state}`);
}

function checkVersion(fields: JsonFields, title: string): void {
  const version = fields.count("schemaVersion");
  if (version !== 2) {
    throw unsupported(title, `schemaVersion is ${version ?? "missing"}, only 2 is supported`);
  }
}

/**
 * Reads the manifest of a container image. Throws EngineError DATA_LOSS when it is damaged or could
 * be read as an index as well, UNSUPPORTED for other media types (artifacts, schema 1, unknown layers).
 */
export function parseManifest(value: unknown, title: string): Manifest {
  const fields = new JsonFields(value, title);
  checkVersion(fields, title);
  if (fields.has("manifests")) {
    throw new EngineError("DATA_LOSS", `Cannot read "${title}": it is manifest and index at once`);
  }
  const config = parseDescriptor(fields.get("config"), `${title}: config`);
  const docker = fields.string("mediaType") === DOCKER_MANIFEST;
  const mediaType = fields.string("mediaType") ?? OCI_MANIFEST;
  if (!isManifestType(mediaType)) {
    throw unsupported(title, `"${mediaType}" is not the type of an image manifest`);
  }
  if (!isConfigType(config.mediaType)) {
    throw unsupported(title, `a config of type "${config.mediaType}" is no container image`);
  }
  const layers = fields.list("layers").map((layer, n) => {
    const descriptor = parseDescriptor(layer, `${title}: layer ${n}`);
    if (layerCompression(descriptor.mediaType) === undefined) {
      throw unsupported(title, `layer ${n} has the unknown media type "${descriptor.mediaType}"`);
    }
    return descriptor;
  });
  return {
    mediaType: docker ? DOCKER_MANIFEST : OCI_MANIFEST,
    config,
    layers,
    annotations: fields.stringMap("annotations"),
    raw: fields.raw,
  };
}

/** Reads an index or docker manifest list; errors as parseManifest. */
export function parseIndex(value: unknown, title: string): Index {
  const fields = new JsonFields(value, title);
  checkVersion(fields, title);
  if (fields.has("config") || fields.has("layers")) {
    throw new EngineError("DATA_LOSS", `Cannot read "${title}": it is manifest and index at once`);
  }
  const mediaType = fields.string("mediaType") ?? OCI_INDEX;
  if (!isIndexType(mediaType)) {
    throw unsupported(title, `"${mediaType}" is not the type of an image index`);
  }
  return {
    mediaType,
    manifests: fields
      .list("manifests")
      .map((entry, n) => parseDescriptor(entry, `${title}: manifest ${n}`)),
    annotations: fields.stringMap("annotations"),
    raw: fields.raw,
  };
}

/**
 * The manifest that an index offers for a platform (this machine's by default): the exact match
 * first, else the first of the same system and architecture; undefined when there is none.
 * Attestations and other entries of platform unknown/unknown never match.
 */
export function chooseManifest(
  index: Index,
  wanted: Platform = hostPlatform(),
): Descriptor | undefined {
  const { os, architecture } = wanted;
  const near = index.manifests.filter(
    ({ platform }) => platform !== undefined && platformMatches(platform, { os, architecture }),
  );
  const exact = near.find(({ platform }) => platform?.variant === wanted.variant);
  if (exact !== undefined) return exact;
  return wanted.variant === undefined ? near[0] : undefined;
}
