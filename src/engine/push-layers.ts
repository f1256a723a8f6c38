// The layers of an image on their way into a registry, three at once. Nothing is sent that the
// registry has, or can take over from another of its repositories; what must be compressed is
// compressed while it is sent.

import { type Digest, digestOf } from "../digest.js";
import {
  type Descriptor,
  DOCKER_MANIFEST,
  dockerLayerType,
  type LayerCompression,
  layerCompression,
  layerType,
} from "../oci/index.js";
import type { KnownBlob, Repository } from "../registry/index.js";
import { Slots } from "../slots.js";
import type { BlobInfo, Store, StoredImage } from "../store/index.js";
import { compress, decompress } from "../tar/compression.js";
import { FirstFailure } from "./first-failure.js";
import { counted } from "./pull-layers.js";
import { type LayerState, type OnTransfer, PARALLEL_LAYERS } from "./transfer.js";

/** How layers are sent. */
export interface PushLayersOptions {
  readonly compression?: LayerCompression;
  readonly onEvent?: OnTransfer;
}

/** What became of a blob: it was sent, it was there, or it came from a repository. */
export type Sent = "pushed" | "exists" | { readonly mountedFrom: string };

/** A compressed layer of at most so much is held in memory, to be asked for before it is sent. */
const SMALL_LAYER_BYTES = 16 * 1024 * 1024;
const MOST_MOUNT_SOURCES = 2;

/** The layers as they are in the registry now, base first. Throws EngineError; then no transfer is under way. */
export async function pushLayers(
  store: Store,
  repository: Repository,
  image: StoredImage,
  options: PushLayersOptions,
): Promise<Descriptor[]> {
  const failure = new FirstFailure(() => repository.session[Symbol.dispose]());
  const slots = new Slots(PARALLEL_LAYERS);
  const docker = image.manifest.mediaType === DOCKER_MANIFEST;
  const byDigest = new Map<Digest, Promise<Descriptor>>();
  for (const [n, layer] of image.manifest.layers.entries()) {
    const diffId = image.config.diffIds[n] ?? layer.digest;
    const tell = (state: LayerState, doneBytes: number, from?: string): void =>
      options.onEvent?.({
        ...{ kind: "layer", layer: diffId, state, doneBytes, totalBytes: layer.sizeBytes },
        ...(from === undefined ? {} : { from }),
      });
    tell("waiting", 0);
    if (byDigest.has(layer.digest)) continue;
    const wanted = options.compression ?? packed(layer);
    const task = () => pushLayer({ store, repository, layer, wanted, docker, tell });
    byDigest.set(
      layer.digest,
      failure.watch(() => slots.run(task)),
    );
  }
  await failure.all([...byDigest.values()]);
  const pushed: Descriptor[] = [];
  for (const layer of image.manifest.layers) {
    pushed.push((await byDigest.get(layer.digest)) ?? layer);
  }
  return pushed;
}

/** Layers that are packed go as they are. */
function packed(layer: Descriptor): LayerCompression {
  const compression = layerCompression(layer.mediaType) ?? "none";
  return compression === "none" ? "gzip" : compression;
}

interface LayerJob {
  readonly store: Store;
  readonly repository: Repository;
  readonly layer: Descriptor;
  readonly wanted: LayerCompression;
  readonly docker: boolean;
  readonly tell: (state: LayerState, doneBytes: number, from?: string) => void;
}

async function pushLayer(job: LayerJob): Promise<Descriptor> {
  const { store, repository, layer, wanted, tell } = job;
  const sources = await mountSources(store, repository, layer.digest);
  if (layerCompression(layer.mediaType) === wanted) {
    const sent = await pushBlob(repository, sources, {
      digest: layer.digest,
      sizeBytes: layer.sizeBytes,
      open: () => uploading(store.blobs.stream(layer.digest, { verify: true }), tell),
    });
    tellSent(tell, sent, layer.sizeBytes);
    return layer;
  }
  const mediaType = job.docker ? dockerLayerType(wanted) : layerType(wanted);
  const known = await store.packed.get(layer.digest, wanted);
  const there = known === undefined ? undefined : await findBlob(repository, sources, known.digest);
  if (known !== undefined && there !== undefined) {
    tellSent(tell, there, layer.sizeBytes);
    return { ...layer, ...known, mediaType, raw: undefined };
  }
  const { blob, sent } = await pushPacked(job, sources);
  await store.packed.set(layer.digest, wanted, blob);
  tellSent(tell, sent, layer.sizeBytes);
  return { ...layer, ...blob, mediaType, raw: undefined };
}

function tellSent(tell: LayerJob["tell"], sent: Sent, doneBytes: number): void {
  if (typeof sent === "string") tell(sent, doneBytes);
  else tell("mounted", doneBytes, sent.mountedFrom);
}

function uploading(
  source: AsyncIterable<Uint8Array>,
  tell: LayerJob["tell"],
): AsyncIterable<Uint8Array> {
  return counted(source, (doneBytes) => tell("uploading", doneBytes));
}

/** Packs a layer another way while it is sent. */
async function pushPacked(
  job: LayerJob,
  sources: readonly string[],
): Promise<{ readonly blob: BlobInfo; readonly sent: Sent }> {
  const { store, repository, layer, wanted, tell } = job;
  const stored = store.blobs.stream(layer.digest, { verify: true });
  const archive = decompress(uploading(stored, tell));
  const stream = wanted === "none" ? archive : compress(archive, wanted);
  const { small, rest } = await headOf(stream, SMALL_LAYER_BYTES);
  if (rest !== undefined) {
    return { blob: await repository.uploadStream(rest), sent: "pushed" };
  }
  const blob = { digest: digestOf(small), sizeBytes: small.byteLength };
  const sent = await pushBlob(repository, sources, {
    ...blob,
    open: async function* bytes() {
      yield small;
    },
  });
  return { blob, sent };
}

/** The whole stream when it is small, else the same stream from its beginning. */
async function headOf(
  stream: AsyncGenerator<Uint8Array>,
  limitBytes: number,
): Promise<{ readonly small: Uint8Array; readonly rest?: AsyncIterable<Uint8Array> }> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  while (sizeBytes <= limitBytes) {
    const { done, value } = await stream.next();
    if (done) return { small: Buffer.concat(chunks) };
    chunks.push(value);
    sizeBytes += value.byteLength;
  }
  return { small: new Uint8Array(0), rest: replay(chunks, stream) };
}

async function* replay(
  chunks: Uint8Array[],
  stream: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk;
    yield* stream;
  } finally {
    await stream.return(undefined);
  }
}

/** A blob into a repository, in the cheapest way there is. `sources` are repositories that may have it. */
export async function pushBlob(
  repository: Repository,
  sources: readonly string[],
  blob: KnownBlob,
): Promise<Sent> {
  const there = await findBlob(repository, sources, blob.digest);
  if (there !== undefined) return there;
  await repository.upload(blob);
  return "pushed";
}

/** Has the registry the blob, so that it need not be sent? */
async function findBlob(
  repository: Repository,
  sources: readonly string[],
  digest: Digest,
): Promise<Sent | undefined> {
  if (await repository.hasBlob(digest)) return "exists";
  for (const from of sources) {
    if ((await repository.mount(digest, from)) === "mounted") return { mountedFrom: from };
  }
  return undefined;
}

/** Other repositories of the registry whose images, as the store knows them, have this layer. */
async function mountSources(
  store: Store,
  repository: Repository,
  layer: Digest,
): Promise<string[]> {
  const sources = new Set<string>();
  for (const { manifest, references } of await store.images()) {
    if (!manifest.layers.some(({ digest }) => digest === layer)) continue;
    for (const { domain, path } of references) {
      if (domain === repository.session.domain && path !== repository.path) sources.add(path);
    }
  }
  return [...sources].slice(0, MOST_MOUNT_SOURCES);
}
