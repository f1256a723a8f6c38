// save: images into one archive that docker, podman, skopeo and umoci read. A file appears whole
// under its name, or not at all.

import { createWriteStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { type NamedImage, saveDockerArchive, saveOciArchive } from "../image/index.js";
import { hasCode } from "../node-errors.js";
import { formatReference, parseReference, type Reference } from "../oci/index.js";
import type { Store, StoredImage } from "../store/index.js";
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
  if (typeof request.output !== "string") {
    await pipeline(Readable.from(archive), request.output, { end: false });
    return;
  }
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

/** What is no file (a device, a pipe) is written into; a file gets its name when it is whole. */
async function writeOutput(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    return undefined;
  });
  if (found?.isDirectory() === true) {
    throw new EngineError("INVALID_ARGUMENT", `Cannot save to "${path}": it is a directory`);
  }
  if (found === undefined || found.isFile()) {
    await writeFile(path, archive);
    return;
  }
  await pipeline(Readable.from(archive), createWriteStream(path, { flags: "r+" }));
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
