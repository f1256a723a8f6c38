// The images of a store: index.json's entries seen as images, and finding one by what users type.
// An image is raw manifest, raw config and blobs; everything else here is derived.

import { type ChainId, chainIds, type Digest, hexOf, isDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import {
  chooseManifest,
  type Descriptor,
  DOCUMENT_LIMIT_BYTES,
  familiarReference,
  formatReference,
  IMAGE_NAME,
  type ImageConfig,
  isIndexType,
  LAST_TAGGED,
  type Manifest,
  makeDescriptor,
  PARENT_IMAGE,
  parseImageConfig,
  parseIndex,
  parseJson,
  parseManifest,
  parseReference,
  REF_NAME,
  REGISTRY_DIGEST,
  type Reference,
  withAnnotations,
} from "../oci/index.js";
import type { BlobStore } from "./blobs.js";
import type { LayerStore } from "./layers.js";
import type { ReferenceStore } from "./references.js";

/** An image of the store: the raw documents, whose digests are its identities, and views of them. */
export interface StoredImage {
  readonly rawManifest: Uint8Array;
  readonly rawConfig: Uint8Array;
  /** Any blob of the image. */
  blob(digest: Digest): AsyncIterable<Uint8Array>;
  /** The image ID: the digest of the config. */
  readonly id: Digest;
  /** Points at the manifest. */
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Base first; the last one is the identity of the whole stack. */
  readonly chain: readonly ChainId[];
}

/** An image as listed: one image ID, whatever number of names and manifests it has. */
export interface ImageRecord extends StoredImage {
  readonly references: readonly Reference[];
  /** The references in familiar form: "debian:12". */
  readonly names: readonly string[];
  /** For each of the references, what it means in its registry (a manifest's digest, or an index's); undefined where it was neither pulled nor pushed. */
  readonly registryDigests: readonly (Digest | undefined)[];
  /** The image that this one was made from here, when that is still in the store. */
  readonly parent: Digest | undefined;
  /** All manifests of index.json with this config, `descriptor` first. */
  readonly manifests: readonly Descriptor[];
  /** What the entries of index.json point at: manifests, or indexes that lead to them. */
  readonly entries: readonly Digest[];
  readonly created: Date | undefined;
  /** When one of its names was given here last; undefined when all came with it. */
  readonly lastTagged: Date | undefined;
  /** Of the unpacked layers' archives where they are known, else of their blobs. */
  readonly sizeBytes: number;
}

const idForm = /^(?:sha256:)?([0-9a-f]{4,64})$/;
/** An index may point at indexes; a chain of them this long is an attack. */
const DEEPEST_INDEX = 4;

/** Finds and reads images; never changes anything. */
export class ImageStore {
  readonly #blobs: BlobStore;
  readonly #references: ReferenceStore;
  readonly #layers: LayerStore;
  /** Of unpacked layers, which never change either; also those that are being asked for. */
  readonly #layerSizes = new Map<ChainId, Promise<number | undefined>>();
  /** By manifest digest: documents never change. */
  readonly #read = new Map<Digest, Promise<StoredImage>>();

  constructor(blobs: BlobStore, references: ReferenceStore, layers: LayerStore) {
    this.#blobs = blobs;
    this.#references = references;
    this.#layers = layers;
  }

  /** The image that a manifest's or index's descriptor means on this machine. Throws EngineError NOT_FOUND, DATA_LOSS, UNSUPPORTED. */
  async read(descriptor: Descriptor): Promise<StoredImage> {
    const manifest = await this.#manifestOf(descriptor, DEEPEST_INDEX);
    const known = this.#read.get(manifest.digest);
    // The blobs are looked at each time: what was collected since is not there any more.
    if (known !== undefined && (await this.#blobs.has(manifest.digest))) return await known;
    const reading = this.#readManifest(manifest);
    this.#read.set(manifest.digest, reading);
    try {
      return await reading;
    } catch (error) {
      this.#read.delete(manifest.digest);
      throw error;
    }
  }

  /** The image with this manifest, whether index.json has it or not. */
  async readDigest(manifest: Digest): Promise<StoredImage> {
    const sizeBytes = await this.#blobs.size(manifest);
    const bytes = await this.#blobs.readBytes(manifest, DOCUMENT_LIMIT_BYTES);
    const parsed = parseManifest(parseJson(bytes, manifest), manifest);
    return await this.read(makeDescriptor(parsed.mediaType, { digest: manifest, sizeBytes }));
  }

  /** All images, newest first. Entries that cannot be read are left out: check() reports them. */
  async list(): Promise<ImageRecord[]> {
    const byId = new Map<Digest, { image: StoredImage; entries: Entry[] }>();
    for (const { reference, descriptor } of await this.#references.list()) {
      const image = await this.#tryRead(descriptor);
      if (image === undefined) continue;
      const group = byId.get(image.id) ?? { image, entries: [] };
      group.entries.push({
        reference,
        image,
        target: descriptor.digest,
        digest: noted(descriptor, REGISTRY_DIGEST),
        parent: noted(descriptor, PARENT_IMAGE),
        taggedMs: Date.parse(descriptor.annotations.get(LAST_TAGGED) ?? ""),
      });
      byId.set(image.id, group);
    }
    const records = await Promise.all(
      [...byId.values()].map(({ image, entries }) => {
        const parent = entries.find((entry) => entry.parent !== undefined)?.parent;
        const known = parent !== undefined && parent !== image.id && byId.has(parent);
        return this.#record(image, entries, known ? parent : undefined);
      }),
    );
    return records.sort(
      (a, b) => (b.created?.getTime() ?? 0) - (a.created?.getTime() ?? 0) || (a.id < b.id ? -1 : 1),
    );
  }

  /**
   * The image that a user means by a reference, an image ID or the start of one, or the digest of
   * its manifest. Throws EngineError NOT_FOUND, INVALID_ARGUMENT (malformed or ambiguous).
   */
  async resolve(text: string): Promise<ImageRecord> {
    const records = await this.list();
    const id = idForm.exec(text)?.[1];
    if (id !== undefined && (text.startsWith("sha256:") || id.length === 64)) {
      return onlyOne(text, byDigest(records, id));
    }
    const reference = parseReference(text);
    const named = byReference(records, reference);
    if (named !== undefined) return await this.#withManifestOf(named, reference);
    if (id !== undefined) return onlyOne(text, byDigest(records, id));
    throw notFound(familiarReference(reference));
  }

  /** Same image, but read by the manifest that this name points at. */
  async #withManifestOf(record: ImageRecord, reference: Reference): Promise<ImageRecord> {
    const descriptor = await this.#references.get(reference);
    if (descriptor === undefined) return record;
    return { ...record, ...(await this.read(descriptor)) };
  }

  async #tryRead(descriptor: Descriptor): Promise<StoredImage | undefined> {
    try {
      return await this.read(descriptor);
    } catch (error) {
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }

  async #manifestOf(descriptor: Descriptor, depth: number): Promise<Descriptor> {
    if (!isIndexType(descriptor.mediaType)) return descriptor;
    const title = descriptor.digest;
    const bytes = await this.#blobs.readBytes(descriptor.digest, DOCUMENT_LIMIT_BYTES);
    const chosen = chooseManifest(parseIndex(parseJson(bytes, title), title));
    if (chosen === undefined || depth === 0) {
      throw new EngineError("NOT_FOUND", `Cannot read "${title}": no image for this platform`);
    }
    return await this.#manifestOf(chosen, depth - 1);
  }

  async #readManifest(descriptor: Descriptor): Promise<StoredImage> {
    const title = descriptor.digest;
    const rawManifest = await this.#blobs.readBytes(title, DOCUMENT_LIMIT_BYTES);
    const manifest = parseManifest(parseJson(rawManifest, title), title);
    const id = manifest.config.digest;
    const rawConfig = await this.#blobs.readBytes(id, DOCUMENT_LIMIT_BYTES);
    const config = parseImageConfig(parseJson(rawConfig, id), id);
    const blobs = this.#blobs;
    return {
      rawManifest,
      rawConfig,
      blob: (digest) => blobs.stream(digest, { verify: true }),
      id,
      // Its names are the entry's, not the image's.
      descriptor: withAnnotations(descriptor, {
        [REF_NAME]: undefined,
        [IMAGE_NAME]: undefined,
        [REGISTRY_DIGEST]: undefined,
        [LAST_TAGGED]: undefined,
      }),
      manifest,
      config,
      chain: chainIds(config.diffIds),
    };
  }

  async #record(
    image: StoredImage,
    entries: readonly Entry[],
    parent: Digest | undefined,
  ): Promise<ImageRecord> {
    const named = entries.filter((entry): entry is NamedEntry => entry.reference !== undefined);
    const references = named.map(({ reference }) => reference);
    const manifests = new Map(entries.map((entry) => [entry.image.descriptor.digest, entry]));
    const time = Date.parse(image.config.created ?? "");
    const tagged = entries.map(({ taggedMs }) => taggedMs).filter((ms) => !Number.isNaN(ms));
    const sizes = await Promise.all(
      image.manifest.layers.map(async (layer, n) => {
        const chainId = image.chain[n];
        const known = chainId === undefined ? undefined : await this.#layerSize(chainId);
        return known ?? layer.sizeBytes;
      }),
    );
    return {
      ...image,
      references,
      names: references.map(familiarReference),
      registryDigests: named.map(({ digest }) => digest),
      parent,
      manifests: [...manifests.values()].map((entry) => entry.image.descriptor),
      entries: [...new Set(entries.map((entry) => entry.target))],
      created: Number.isNaN(time) ? undefined : new Date(time),
      lastTagged: tagged.length === 0 ? undefined : new Date(Math.max(...tagged)),
      sizeBytes: sizes.reduce((sum, size) => sum + size, 0),
    };
  }

  async #layerSize(chainId: ChainId): Promise<number | undefined> {
    const asked = this.#layerSizes.get(chainId) ?? this.#layers.trySizeBytes(chainId);
    this.#layerSizes.set(chainId, asked);
    const known = await asked;
    // It may be unpacked later.
    if (known === undefined) this.#layerSizes.delete(chainId);
    return known;
  }
}

interface Entry {
  readonly reference: Reference | undefined;
  readonly image: StoredImage;
  readonly target: Digest;
  readonly digest: Digest | undefined;
  readonly parent: Digest | undefined;
  /** NaN when no name was given here. */
  readonly taggedMs: number;
}

type NamedEntry = Entry & { readonly reference: Reference };

function noted(descriptor: Descriptor, annotation: string): Digest | undefined {
  const digest = descriptor.annotations.get(annotation);
  return isDigest(digest) ? digest : undefined;
}

function byDigest(records: readonly ImageRecord[], start: string): ImageRecord[] {
  const byId = records.filter((record) => hexOf(record.id).startsWith(start));
  if (byId.length > 0) return byId;
  return records.filter((record) =>
    record.manifests.some(({ digest }) => hexOf(digest).startsWith(start)),
  );
}

/** By whole name; `name@digest` also means any image of that repository with that manifest. */
function byReference(records: readonly ImageRecord[], wanted: Reference): ImageRecord | undefined {
  const full = formatReference(wanted);
  const exact = records.find((record) =>
    record.references.some((reference) => formatReference(reference) === full),
  );
  if (exact !== undefined || wanted.digest === undefined) return exact;
  return records.find((record) =>
    record.references.some(
      ({ domain, path }, n) =>
        domain === wanted.domain &&
        path === wanted.path &&
        (record.registryDigests[n] === wanted.digest ||
          record.manifests.some(({ digest }) => digest === wanted.digest)),
    ),
  );
}

function onlyOne(text: string, found: readonly ImageRecord[]): ImageRecord {
  const [first, second] = found;
  if (first === undefined) throw notFound(text);
  if (second === undefined) return first;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot find "${text}": multiple IDs found with provided prefix`,
  );
}

function notFound(text: string): EngineError {
  return new EngineError("NOT_FOUND", `No such image: ${text}`);
}
