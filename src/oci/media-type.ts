// The media types of the OCI image format and of docker's schema 2, and what each one means.
// https://github.com/opencontainers/image-spec/blob/main/media-types.md

import { EngineError } from "../errors.js";

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER_FAMILY = "application/vnd.oci.image.layer.";
export const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
export const OCI_LAYER_GZIP = `${OCI_LAYER}+gzip`;
export const OCI_LAYER_ZSTD = `${OCI_LAYER}+zstd`;
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
export const DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json";
export const DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";

/** How the tar of a layer is packed. */
export type LayerCompression = "none" | "gzip" | "zstd";

const manifestTypes: ReadonlySet<string> = new Set([OCI_MANIFEST, DOCKER_MANIFEST]);
const indexTypes: ReadonlySet<string> = new Set([OCI_INDEX, DOCKER_INDEX]);
const configTypes: ReadonlySet<string> = new Set([OCI_CONFIG, DOCKER_CONFIG]);

const layerTypes: ReadonlyMap<string, LayerCompression> = new Map([
  [OCI_LAYER, "none"],
  [OCI_LAYER_GZIP, "gzip"],
  [OCI_LAYER_ZSTD, "zstd"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", "none"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "gzip"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "zstd"],
  ["application/vnd.docker.image.rootfs.diff.tar", "none"],
  ["application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip"],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", "zstd"],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar", "none"],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "gzip"],
]);

/** True for the manifest of one image, OCI or docker. */
export function isManifestType(mediaType: string): boolean {
  return manifestTypes.has(mediaType);
}

/** True for an index (docker: manifest list): one name, an image a platform. */
export function isIndexType(mediaType: string): boolean {
  return indexTypes.has(mediaType);
}

/** True for the config of a container image (not of another kind of artifact). */
export function isConfigType(mediaType: string): boolean {
  return configTypes.has(mediaType);
}

/** What the layer's type says of its packing; undefined when it is no type of a layer. */
export function layerCompression(mediaType: string): LayerCompression | undefined {
  return layerTypes.get(mediaType);
}

/** The OCI type of a layer that is packed so. */
export function layerType(compression: LayerCompression): string {
  return compression === "none" ? OCI_LAYER : `${OCI_LAYER}+${compression}`;
}

/** The same in a manifest of docker's family. */
export function dockerLayerType(compression: LayerCompression): string {
  const tar = "application/vnd.docker.image.rootfs.diff.tar";
  return compression === "none" ? tar : `${tar}.${compression}`;
}

/** The OCI name of an OCI or docker type; throws EngineError UNSUPPORTED for others. */
export function ociTypeOf(mediaType: string): string {
  if (mediaType.startsWith(OCI_LAYER_FAMILY) && layerTypes.has(mediaType)) return mediaType;
  if (isManifestType(mediaType)) return OCI_MANIFEST;
  if (isIndexType(mediaType)) return OCI_INDEX;
  if (isConfigType(mediaType)) return OCI_CONFIG;
  const compression = layerCompression(mediaType);
  if (compression !== undefined) return layerType(compression);
  throw new EngineError("UNSUPPORTED", `Cannot use "${mediaType}": it is an unknown media type`);
}
