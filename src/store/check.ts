// Is the store sound? Every blob's digest is computed anew, every document's parts are looked for,
// every unpacked layer and container must be complete. Nothing is changed.

import { join } from "node:path";
import { type ChainId, chainIds, type Digest, hexOf } from "../digest.js";
import { EngineError } from "../errors.js";
import { checkLayerIndex } from "../layer/index.js";
import {
  type Descriptor,
  DOCUMENT_LIMIT_BYTES,
  familiarReference,
  isIndexType,
  type Manifest,
  parseImageConfig,
  parseIndex,
  parseJson,
  parseManifest,
} from "../oci/index.js";
import { neededUppers } from "./container-record.js";
import { hasTree } from "./layers.js";
import type { Store } from "./store.js";

/** One fault. The store has lost something unless `kind` says otherwise. */
export interface CheckFinding {
  readonly kind: "blob" | "image" | "layer" | "index" | "container";
  /** Digest, image name, chain ID (of an index its layer's) or container ID. */
  readonly object: string;
  /** A whole message. */
  readonly message: string;
}

export interface CheckReport {
  readonly findings: readonly CheckFinding[];
  /** Layers whose index is of another tree, or of theirs before something was done to its root: a copy has such, too. */
  readonly doubtful: readonly ChainId[];
  /** Layers that were to be compared with their blobs and could not be; whole messages. */
  readonly uncompared: readonly string[];
  /** What was looked at. */
  readonly blobs: number;
  readonly images: number;
  readonly layers: number;
  readonly containers: number;
}

/** Checks the whole store, holding its lock shared. */
export async function checkStore(store: Store): Promise<CheckReport> {
  await using _lock = await store.lock.acquire("shared");
  return await checkAll(store);
}

/** The same for who holds the store's lock. */
export async function checkAll(store: Store): Promise<CheckReport> {
  const findings: CheckFinding[] = [];
  const blobs = await checkBlobs(store, findings);
  const images = await checkImages(store, findings);
  const { layers, doubtful } = await checkLayers(store, findings);
  const containers = await checkContainers(store, findings);
  return { findings, doubtful, uncompared: [], blobs, images, layers, containers };
}

/** Runs one check; what it throws as a refusal becomes a finding. */
async function expectSound(
  findings: CheckFinding[],
  kind: CheckFinding["kind"],
  object: string,
  check: () => Promise<void>,
): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    findings.push({ kind, object, message: error.message });
  }
}

/** True when a check throws a refusal. */
export async function isRefused(check: () => Promise<void>): Promise<boolean> {
  const findings: CheckFinding[] = [];
  await expectSound(findings, "image", "", check);
  return findings.length > 0;
}

function damaged(object: string, state: string): EngineError {
  return new EngineError("DATA_LOSS", `Cannot use "${object}": ${state}`);
}

async function checkBlobs(store: Store, findings: CheckFinding[]): Promise<number> {
  const blobs = await store.blobs.list();
  for (const digest of blobs) {
    await expectSound(findings, "blob", digest, async () => {
      const actual = await store.blobs.actualDigest(digest);
      if (actual !== digest) throw damaged(digest, `its bytes have the digest ${actual}`);
    });
  }
  return blobs.length;
}

async function checkImages(store: Store, findings: CheckFinding[]): Promise<number> {
  const entries = await store.references.list();
  for (const { reference, descriptor } of entries) {
    const title = reference === undefined ? descriptor.digest : familiarReference(reference);
    await expectSound(findings, "image", title, () => checkDocument(store, descriptor));
  }
  return entries.length;
}

/** Throws EngineError when a document or anything it points at is missing or damaged. */
export async function checkDocument(store: Store, descriptor: Descriptor): Promise<void> {
  const value = await readDocument(store, descriptor);
  if (!isIndexType(descriptor.mediaType)) {
    return await checkManifest(store, parseManifest(value, descriptor.digest));
  }
  for (const inner of parseIndex(value, descriptor.digest).manifests) {
    // An index may name platforms that were never fetched.
    if (await store.blobs.has(inner.digest)) await checkDocument(store, inner);
  }
}

async function checkManifest(store: Store, manifest: Manifest): Promise<void> {
  const id = manifest.config.digest;
  const config = parseImageConfig(await readDocument(store, manifest.config), id);
  if (config.diffIds.length !== manifest.layers.length) {
    throw damaged(
      id,
      `the config has ${config.diffIds.length} layers, the manifest ${manifest.layers.length}`,
    );
  }
  for (const layer of manifest.layers) await checkSize(store, layer);
}

async function readDocument(store: Store, descriptor: Descriptor): Promise<unknown> {
  await checkSize(store, descriptor);
  const bytes = await store.blobs.readBytes(descriptor.digest, DOCUMENT_LIMIT_BYTES);
  return parseJson(bytes, descriptor.digest);
}

async function checkSize(store: Store, descriptor: Descriptor): Promise<void> {
  const sizeBytes = await store.blobs.size(descriptor.digest);
  if (sizeBytes === descriptor.sizeBytes) return;
  throw damaged(descriptor.digest, `it has ${sizeBytes} bytes instead of ${descriptor.sizeBytes}`);
}

async function checkLayers(
  store: Store,
  findings: CheckFinding[],
): Promise<{ readonly layers: number; readonly doubtful: ChainId[] }> {
  const doubtful: ChainId[] = [];
  const layers = await store.layers.list();
  for (const chainId of layers) {
    await expectSound(findings, "layer", chainId, async () => {
      const info = await store.layers.info(chainId);
      if (info === undefined) throw damaged(chainId, "the unpacked layer has no layer.json");
      if (!(await hasTree(join(store.layers.directory, hexOf(chainId))))) {
        throw damaged(chainId, "the unpacked layer has no diff/");
      }
    });
    await expectSound(findings, "index", chainId, async () => {
      const [tree, path] = [store.layers.path(chainId), store.layers.indexPath(chainId)];
      if (!(await hasTree(store.layers.home(chainId)))) return;
      const state = await checkLayerIndex(tree, path);
      if (state === "stale") doubtful.push(chainId);
      if (state !== "damaged") return;
      throw damaged(chainId, "the index of the unpacked layer is not that of its files");
    });
  }
  return { layers: layers.length, doubtful };
}

async function checkUpper(store: Store, id: string): Promise<void> {
  await store.uppers.place(id);
  const archive = await store.uppers.archive(id);
  if (archive !== undefined) await checkSize(store, archive.descriptor);
}

async function checkContainers(store: Store, findings: CheckFinding[]): Promise<number> {
  const damagedOnes = await store.containers.damaged();
  for (const [id, { message }] of damagedOnes) {
    findings.push({ kind: "container", object: id, message });
  }
  const containers = await store.containers.list();
  for (const container of containers) {
    await expectSound(findings, "container", container.id, async () => {
      const expected = chainIds(container.diffIds);
      if (expected.join() !== container.chain.join()) {
        throw damaged(container.id, "its chain IDs are not those of its diff IDs");
      }
      const digest: Digest = container.manifest.digest;
      if (!(await store.blobs.has(digest))) throw damaged(container.id, `${digest} is missing`);
      for (const chainId of container.chain) {
        if (await hasTree(join(store.layers.directory, hexOf(chainId)))) continue;
        throw damaged(container.id, `its layer ${chainId} is not unpacked`);
      }
      for (const id of neededUppers(container)) await checkUpper(store, id);
    });
  }
  return containers.length + damagedOnes.size;
}
