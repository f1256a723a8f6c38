// Saving: images as one archive. The docker form is an OCI layout too, as docker 25 writes it: all
// readers of either find theirs. Same images, same bytes: order, times and owners are fixed.

import { type Digest, digestOf, hexOf } from "../digest.js";
import {
  type Descriptor,
  descriptorJson,
  familiarReference,
  familiarRepository,
  formatReference,
  IMAGE_NAME,
  makeDescriptor,
  OCI_INDEX,
  REF_NAME,
  type Reference,
  withAnnotations,
} from "../oci/index.js";
import { documentBytes } from "./changes.js";
import { type Image, manifestOf } from "./image.js";
import type { NamedImage } from "./image-target.js";
import { validateImage } from "./verify.js";
import { type ArchiveSource, writeArchive } from "./write-archive.js";

/** Called with the bytes of blobs written so far, of all. */
export type SaveProgress = (doneBytes: number, sizeBytes: number) => void;

interface Blob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** An archive for docker load, that is an OCI archive as well. Throws EngineError DATA_LOSS for a damaged image. */
export function saveDockerArchive(
  images: readonly NamedImage[],
  progress?: SaveProgress,
): AsyncGenerator<Uint8Array> {
  return archiveOf(images, [...layoutDocuments(images), ...dockerDocuments(images)], progress);
}

/** An OCI layout in a tar. Throws as saveDockerArchive. */
export function saveOciArchive(
  images: readonly NamedImage[],
  progress?: SaveProgress,
): AsyncGenerator<Uint8Array> {
  return archiveOf(images, layoutDocuments(images), progress);
}

type Document = readonly [name: string, bytes: Uint8Array];

function layoutDocuments(images: readonly NamedImage[]): Document[] {
  const manifests = images.flatMap(({ image, references }) => {
    const descriptor = descriptorOf(image);
    if (references.length === 0) return [descriptor];
    return references.map((reference) =>
      withAnnotations(descriptor, {
        [REF_NAME]: familiarReference(reference),
        [IMAGE_NAME]: formatReference(reference),
      }),
    );
  });
  const index = {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: manifests.map(descriptorJson),
  };
  return [
    ["oci-layout", documentBytes({ imageLayoutVersion: "1.0.0" })],
    ["index.json", documentBytes(index)],
  ];
}

function dockerDocuments(images: readonly NamedImage[]): Document[] {
  const manifest = images.map(({ image, references }) => {
    const { config, layers } = manifestOf(image);
    const tags = references.filter(({ tag }) => tag !== undefined).map(tagOnly);
    return {
      Config: memberName(config.digest),
      RepoTags: tags.map(familiarReference),
      Layers: layers.map(({ digest }) => memberName(digest)),
    };
  });
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, references } of images) {
    const top = manifestOf(image).layers.at(-1);
    for (const reference of references) {
      if (reference.tag === undefined || top === undefined) continue;
      const name = familiarRepository(reference);
      repositories[name] = { ...repositories[name], [reference.tag]: hexOf(top.digest) };
    }
  }
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  return [
    ["manifest.json", bytes],
    ["repositories", documentBytes(repositories)],
  ];
}

function tagOnly(reference: Reference): Reference {
  return { ...reference, digest: undefined };
}

function memberName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function descriptorOf(image: Image): Descriptor {
  const { mediaType } = manifestOf(image);
  const sizeBytes = image.rawManifest.byteLength;
  return makeDescriptor(mediaType, { digest: digestOf(image.rawManifest), sizeBytes });
}

/** All blobs, each once, sorted by digest. */
function blobsOf(images: readonly NamedImage[]): Blob[] {
  const blobs = new Map<Digest, Blob>();
  for (const { image } of images) {
    for (const bytes of [image.rawManifest, image.rawConfig]) {
      const digest = digestOf(bytes);
      blobs.set(digest, { digest, sizeBytes: bytes.byteLength, open: () => [bytes] });
    }
    for (const { digest, sizeBytes } of manifestOf(image).layers) {
      blobs.set(digest, { digest, sizeBytes, open: () => image.blob(digest) });
    }
  }
  return [...blobs.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
}

/** The archive, made as it is read. */
async function* archiveOf(
  images: readonly NamedImage[],
  documents: readonly Document[],
  progress: SaveProgress | undefined,
): AsyncGenerator<Uint8Array> {
  for (const { image } of images) validateImage(image);
  yield* writeArchive(membersOf(documents, blobsOf(images), progress));
}

function* membersOf(
  documents: readonly Document[],
  blobs: readonly Blob[],
  progress: SaveProgress | undefined,
): Generator<ArchiveSource> {
  for (const name of ["blobs", "blobs/sha256"]) {
    yield { name, type: "directory", sizeBytes: 0, content: [] };
  }
  for (const [name, bytes] of documents) {
    yield { name, type: "file", sizeBytes: bytes.byteLength, content: [bytes] };
  }
  const allBytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  for (const { digest, sizeBytes, open } of blobs) {
    const counted = countedBlob(open(), (chunkBytes) => {
      doneBytes += chunkBytes;
      progress?.(doneBytes, allBytes);
    });
    yield { name: memberName(digest), type: "file", sizeBytes, content: counted };
  }
}

async function* countedBlob(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  count: (chunkBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    yield chunk;
    count(chunk.byteLength);
  }
}
