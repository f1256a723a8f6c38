// A descriptor: the name, type and size of a blob that another document points at.
// https://github.com/opencontainers/image-spec/blob/main/descriptor.md

import { type Digest, isDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import { JsonFields, type JsonObject } from "./json.js";
import { type Platform, parsePlatform } from "./platform.js";

/** Annotation of an index's descriptor: the name by which skopeo and umoci find the image. */
export const REF_NAME = "org.opencontainers.image.ref.name";

/** Annotation of an index's descriptor: containerd's full name, "docker.io/library/debian:12". */
export const IMAGE_NAME = "io.containerd.image.name";

/** Annotation of an index's descriptor: the digest that the image's name has in the registry it was pulled from or pushed to. */
export const REGISTRY_DIGEST = "dev.stratafs.registry.digest";

/** Annotation of an index's descriptor: the ID of the image that this one was made from here, as docker's Parent. */
export const PARENT_IMAGE = "dev.stratafs.image.parent";
/** When a name was last given here, by a tag, a commit, an import or a build: docker's LastTagTime. Not told to others. */
export const LAST_TAGGED = "dev.stratafs.image.tagged";

/** Points at exact bytes: whoever follows it checks both digest and size. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** `size` in JSON. */
  readonly sizeBytes: number;
  readonly annotations: ReadonlyMap<string, string>;
  readonly platform: Platform | undefined;
  /** The object as it was read, unknown fields included; undefined for one that we made. */
  readonly raw: JsonObject | undefined;
}

/** Reads a descriptor; throws EngineError DATA_LOSS, UNSUPPORTED for digests other than sha256. */
export function parseDescriptor(value: unknown, title: string): Descriptor {
  const fields = new JsonFields(value, title);
  const digest = fields.requiredString("digest");
  if (!isDigest(digest)) {
    const known = /^[a-z0-9]+([+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/.test(digest);
    const unsupported = known && !digest.startsWith("sha256:");
    throw new EngineError(
      unsupported ? "UNSUPPORTED" : "DATA_LOSS",
      `Cannot read "${title}": "${digest}" is not a sha256 digest`,
    );
  }
  const sizeBytes = fields.count("size");
  if (sizeBytes === undefined) throw fields.missing("size");
  return {
    mediaType: fields.string("mediaType") ?? "",
    digest,
    sizeBytes,
    annotations: fields.stringMap("annotations"),
    platform: fields.has("platform")
      ? parsePlatform(fields.get("platform"), `${title}: platform`)
      : undefined,
    raw: fields.raw,
  };
}

/** A descriptor of our own. */
export function makeDescriptor(
  mediaType: string,
  blob: { readonly digest: Digest; readonly sizeBytes: number },
  annotations: Readonly<Record<string, string>> = {},
): Descriptor {
  return {
    mediaType,
    digest: blob.digest,
    sizeBytes: blob.sizeBytes,
    annotations: new Map(Object.entries(annotations)),
    platform: undefined,
    raw: undefined,
  };
}

/** The JSON object of a descriptor: fields in the specification's order, unknown ones kept. */
export function descriptorJson(descriptor: Descriptor): JsonObject {
  const { mediaType, digest, sizeBytes, annotations, raw } = descriptor;
  const { annotations: _, ...others } = raw ?? {};
  return {
    ...others,
    mediaType,
    digest,
    size: sizeBytes,
    ...(annotations.size > 0 ? { annotations: Object.fromEntries(annotations) } : {}),
  };
}

/** The same descriptor with other annotations: undefined removes one. */
export function withAnnotations(
  descriptor: Descriptor,
  changes: Readonly<Record<string, string | undefined>>,
): Descriptor {
  const annotations = new Map(descriptor.annotations);
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) annotations.delete(key);
    else annotations.set(key, value);
  }
  return { ...descriptor, annotations };
}
