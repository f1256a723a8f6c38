// save: images into one archive that docker, podman, skopeo and umoci read. A file appears whole
// under its name, or not at all.

import type { Writable } from "node:stream";
import type { Digest } from "../digest.js";
import { type NamedImage, saveDockerArchive, saveOciArchive } from "../image/index.js";
import { formatReference, parseReference, type Reference } from "../oci/index.js";
import type { Store, StoredImage } from "../store/index.js";
import { writeOutput } from "./output.js";
import type { Progress } from "./progress.js";
import { isBareName } from "./pull.js";

export interface SaveRequest {
  /** References, image IDs; a reference keeps its name in the archive. */
  readonly images: readonly string[];
  /** A file, or an open stream. */
  readonly output: string | Writable;
  readonly format?: "docker" | "oci";
  readonly progress?: Progress;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS; FsError. */
export async function save(store: Store, request: SaveRequest): Promise<void> {
  await using _lock = await store.lock.acquire("shared");
  const images = await namedImages(store, request.images);
  const write = request.format === "oci" ? saveOciArchive : saveDockerArchive;
  const archive = write(images, (doneBytes, totalBytes) =>
    request.progress?.({ object: "archive", action: "writing", doneBytes, totalBytes }),
  );
  await writeOutput(request.output, archive);
}

/** Each image once, with all names it was asked for by, as docker does. */
async function namedImages(store: Store, texts: readonly string[]): Promise<NamedImage[]> {
  const named = new Map<Digest, { image: StoredImage; references: Reference[] }>();
  for (const text of texts) {
    for (const { image, reference } of await askedFor(store, text)) {
      const entry = named.get(image.descriptor.digest) ?? { image, references: [] };
      const known = entry.references.map(formatReference);
      if (reference !== undefined && !known.includes(formatReference(reference))) {
        entry.references.push(reference);
      }
      named.set(image.descriptor.digest, entry);
    }
  }
  return [...named.values()];
}

/** A repository without a tag means all its tags; an ID means an image without names. */
async function askedFor(
  store: Store,
  text: string,
): Promise<{ readonly image: StoredImage; readonly reference?: Reference }[]> {
  const wanted = isReference(text) ? parseReference(text) : undefined;
  if (wanted !== undefined && isBareName(wanted, text)) {
    const all = await tagsOf(store, wanted);
    if (all.length > 0) return all;
  }
  const image = await store.resolve(text);
  const title = wanted === undefined ? "" : formatReference(wanted);
  const reference = image.references.find((own) => formatReference(own) === title);
  return [{ image, ...(reference === undefined ? {} : { reference }) }];
}

/** `sha256:…` and whole IDs are no names. */
function isReference(text: string): boolean {
  return !/^(sha256:[0-9a-f]+|[0-9a-f]{64})$/.test(text);
}

async function tagsOf(store: Store, { domain, path }: Reference) {
  const found: { image: StoredImage; reference: Reference }[] = [];
  for (const { references } of await store.images()) {
    for (const reference of references) {
      const same = reference.domain === domain && reference.path === path;
      if (!same || reference.tag === undefined) continue;
      // Another name may lead to another manifest of the same image.
      found.push({ image: await store.resolve(formatReference(reference)), reference });
    }
  }
  return found;
}
