// The record of a container (container.json): what it stands on, and the uppers that it names.

import { type ChainId, type DiffId, type Digest, parseDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import {
  type Descriptor,
  descriptorJson,
  JsonFields,
  parseDescriptor,
  parseJson,
} from "../oci/index.js";

/** Of a container's ID. */
export const idForm = /^[0-9a-f]{64}$/;

/** A writable layer and what it stands on. `chain` and `diffIds` are base first. */
export interface Container {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  /** What the user called the image, for lists. */
  readonly imageName: string;
  readonly imageId: Digest;
  /** The image's manifest: it keeps the image's blobs alive. */
  readonly manifest: Descriptor;
  readonly chain: readonly ChainId[];
  readonly diffIds: readonly DiffId[];
  /** The user's directory that it stands on (its image is empty then); an absolute path. */
  readonly directory?: string;
  /** Mount points that the image lacks: an upper right above it that nobody writes to, and that is in no image. */
  readonly points?: string;
  /** Uppers that were frozen, base first; they lie above the chain. Other containers may share them. */
  readonly frozen: readonly string[];
  /** The upper that it writes to: its alone. */
  readonly upper: string;
  readonly createdAt: Date;
}

/** All uppers that a container was or is written to, base first. */
export function uppersOf({
  frozen,
  upper,
}: Pick<Container, "frozen" | "upper">): readonly string[] {
  return [...frozen, upper];
}

/** All that must stay for a container, base first. */
export function neededUppers(
  container: Pick<Container, "points" | "frozen" | "upper">,
): readonly string[] {
  const { points } = container;
  return [...(points === undefined ? [] : [points]), ...uppersOf(container)];
}

export function recordOf(container: Container): string {
  return JSON.stringify({ ...container, manifest: descriptorJson(container.manifest) });
}

/** Reads a container.json. Throws EngineError DATA_LOSS. */
export function parseContainer(bytes: Uint8Array, path: string): Container {
  const fields = new JsonFields(parseJson(bytes, path), path);
  const id = fields.requiredString("id");
  const createdAt = new Date(fields.requiredString("createdAt"));
  if (!idForm.test(id) || Number.isNaN(createdAt.getTime())) {
    throw new EngineError(
      "DATA_LOSS",
      `Cannot read "${path}": it is not the record of a container`,
    );
  }
  const [directory, points] = [fields.string("directory"), fields.string("points")];
  return {
    id,
    name: fields.requiredString("name"),
    imageName: fields.string("imageName") ?? "",
    imageId: parseDigest(fields.get("imageId")),
    manifest: parseDescriptor(fields.get("manifest"), `${path}: manifest`),
    chain: fields.strings("chain").map((text) => parseDigest(text) as ChainId),
    diffIds: fields.strings("diffIds").map((text) => parseDigest(text) as DiffId),
    ...(directory === undefined ? {} : { directory }),
    ...(points === undefined ? {} : { points }),
    frozen: fields.strings("frozen"),
    upper: fields.requiredString("upper"),
    createdAt,
  };
}
