// docker's lines around those of the layers of a pull: before them where it comes from, after them what came.

import type { PulledImage } from "../engine/index.js";
import { familiarReference, familiarRepository, type Reference } from "../oci/index.js";

/** "12: Pulling from debian". */
export function pullHead(reference: Reference): string {
  const label = reference.digest ?? reference.tag;
  const repository =
    reference.domain === "docker.io" ? reference.path : familiarRepository(reference);
  return `${label}: Pulling from ${repository.replace(`${reference.domain}/`, "")}`;
}

/** "Digest: …" of each, and "Status: …" of all; `title` is what was asked for. */
export function pullTail(pulled: readonly PulledImage[], title: string): readonly string[] {
  const newer = pulled.some((image) => image.newer);
  return [
    ...pulled.map(({ digest }) => `Digest: ${digest}`),
    `Status: ${newer ? "Downloaded newer image" : "Image is up to date"} for ${title}`,
  ];
}

/** The same of one image, by its own name. */
export function pulledLines(pulled: readonly PulledImage[]): readonly string[] {
  return pulled.flatMap((image) => pullTail([image], familiarReference(image.reference)));
}
