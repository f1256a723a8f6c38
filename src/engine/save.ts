// save: images into one archive that docker, podman, skopeo and umoci read. A file appears whole
// under its name, or not at all.

import { open, rename, rm } from "node:fs/promises";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type NamedImage, saveDockerArchive, saveOciArchive } from "../image/index.js";
import { familiarReference, parseReference, type Reference } from "../oci/index.js";
import type { ImageRecord, Store } from "../store/index.js";
import type { Progress } from "./progress.js";

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
  const images: NamedImage[] = [];
  for (const text of request.images) {
    const image = await store.resolve(text);
    images.push({ image, references: namesFor(image, text) });
  }
  const write = request.format === "oci" ? saveOciArchive : saveDockerArchive;
  const archive = write(images, (doneBytes, totalBytes) =>
    request.progress?.({ object: "archive", action: "writing", doneBytes, totalBytes }),
  );
  if (typeof request.output !== "string") {
    await pipeline(Readable.from(archive), request.output, { end: false });
    return;
  }
  await writeFile(request.output, archive);
}

/** An image asked for by ID is saved without names, as docker does. */
function namesFor(image: ImageRecord, text: string): readonly Reference[] {
  if (image.id.includes(text) || image.descriptor.digest.includes(text)) return [];
  const wanted = familiarReference(parseReference(text));
  return image.references.filter((reference) => familiarReference(reference) === wanted);
}

async function writeFile(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
  const aside = `${path}.${process.pid}.partial`;
  const handle = await open(aside, "wx", 0o600);
  try {
    try {
      for await (const chunk of archive) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
