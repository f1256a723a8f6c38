// Garbage collection: everything that neither index.json nor a container nor the cache of builds leads to. It runs under the
// exclusive lock, so that nobody is adding anything; what lies in tmp/ is left from dead processes.

import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ChainId, chainIds, type Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import {
  type Descriptor,
  DOCUMENT_LIMIT_BYTES,
  isIndexType,
  isManifestType,
  parseImageConfig,
  parseIndex,
  parseJson,
  parseManifest,
} from "../oci/index.js";
import { bytesOf } from "../path.js";
import type { BlobStore } from "./blobs.js";
import { neededUppers } from "./container-record.js";
import type { HeldLock } from "./lock-file.js";
import { mountPointsBelow } from "./mount-state.js";
import { removeDirectory } from "./remove-directory.js";
import { isInUse } from "./scratch-name.js";
import type { Store } from "./store.js";

/** One thing that is (or would be) removed. */
export interface GarbageItem {
  readonly kind: "blob" | "layer" | "upper" | "temporary";
  /** Digest, chain ID, an upper's ID, or file name in tmp/. */
  readonly name: string;
  readonly sizeBytes: number;
}

export interface GarbageReport {
  readonly removed: readonly GarbageItem[];
  readonly sizeBytes: number;
}

export interface CollectOptions {
  /** Only report. */
  readonly dryRun?: boolean;
  /** The store's lock, held exclusively by the caller; else it is acquired here. */
  readonly held?: HeldLock;
  /** How long to wait for the lock; for ever unless given. Then EngineError IN_USE. */
  readonly waitMs?: number;
}

/** Blobs and layers that are needed. */
export interface Needed {
  /** A container's record is damaged: what it stands on is not known, so nothing may go. */
  readonly everything: boolean;
  readonly blobs: Set<Digest>;
  readonly layers: Set<ChainId>;
  readonly uppers: Set<string>;
}

/** Removes what nothing needs. Throws EngineError IN_USE, FsError. */
export async function collectGarbage(
  store: Store,
  options: CollectOptions,
): Promise<GarbageReport> {
  const wait = options.waitMs === undefined ? {} : { waitMs: options.waitMs };
  const own = options.held === undefined ? await store.lock.acquire("exclusive", wait) : undefined;
  try {
    const needed = await neededBy(store);
    const items = [
      ...(await temporaries(store)),
      ...(await unneededUppers(store, needed)),
      ...(await unneededLayers(store, needed)),
      ...(await unneededBlobs(store, needed)),
    ];
    if (options.dryRun !== true) {
      for (const item of items) await remove(store, item);
      await store.blobs.sync();
    }
    return { removed: items, sizeBytes: items.reduce((sum, item) => sum + item.sizeBytes, 0) };
  } finally {
    await own?.release();
  }
}

/** What index.json, the containers and the cache of builds lead to; "images": the first two, "containers": these alone. */
export async function neededBy(
  store: Store,
  roots: "all" | "images" | "containers" = "all",
): Promise<Needed> {
  const everything = (await store.containers.damaged()).size > 0;
  const needed: Needed = { everything, blobs: new Set(), layers: new Set(), uppers: new Set() };
  for (const { descriptor } of roots === "containers" ? [] : await store.references.list()) {
    await follow(store.blobs, descriptor, needed);
  }
  for (const container of await store.containers.list()) {
    for (const chainId of container.chain) needed.layers.add(chainId);
    await follow(store.blobs, container.manifest, needed);
    for (const id of neededUppers(container)) await followUpper(store, id, needed);
  }
  for (const { layer } of roots === "all" ? await store.buildCache.list() : []) {
    if (layer === undefined) continue;
    needed.blobs.add(layer.diffId);
    needed.layers.add(layer.chainId);
  }
  return needed;
}

/** Adds a document and all that it points at. What cannot be read leads nowhere: check() reports it. */
async function follow(blobs: BlobStore, descriptor: Descriptor, needed: Needed): Promise<void> {
  const { digest, mediaType } = descriptor;
  if (needed.blobs.has(digest)) return;
  needed.blobs.add(digest);
  try {
    if (isIndexType(mediaType)) {
      const index = parseIndex(await document(blobs, digest), digest);
      for (const inner of index.manifests) await follow(blobs, inner, needed);
    } else if (isManifestType(mediaType)) {
      const manifest = parseManifest(await document(blobs, digest), digest);
      for (const part of [manifest.config, ...manifest.layers]) needed.blobs.add(part.digest);
      const id = manifest.config.digest;
      const config = parseImageConfig(await document(blobs, id), id);
      for (const chainId of chainIds(config.diffIds)) needed.layers.add(chainId);
    }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
  }
}

/** An archived upper is part of the images to come: its blob, and its tree where that is a layer now. */
async function followUpper(store: Store, id: string, needed: Needed): Promise<void> {
  needed.uppers.add(id);
  try {
    const archive = await store.uppers.archive(id);
    if (archive === undefined) return;
    needed.blobs.add(archive.descriptor.digest);
    needed.layers.add(archive.chainId);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
  }
}

async function document(blobs: BlobStore, digest: Digest): Promise<unknown> {
  return parseJson(await blobs.readBytes(digest, DOCUMENT_LIMIT_BYTES), digest);
}

async function unneededBlobs(store: Store, needed: Needed): Promise<GarbageItem[]> {
  const items: GarbageItem[] = [];
  for (const digest of await store.blobs.list()) {
    if (needed.everything || needed.blobs.has(digest)) continue;
    items.push({ kind: "blob", name: digest, sizeBytes: await store.blobs.size(digest) });
  }
  return items;
}

async function unneededLayers(store: Store, needed: Needed): Promise<GarbageItem[]> {
  const items: GarbageItem[] = [];
  for (const chainId of await store.layers.list()) {
    if (needed.everything || needed.layers.has(chainId)) continue;
    const sizeBytes = (await store.layers.trySizeBytes(chainId)) ?? 0;
    items.push({ kind: "layer", name: chainId, sizeBytes });
  }
  return items;
}

async function unneededUppers(store: Store, needed: Needed): Promise<GarbageItem[]> {
  if (needed.everything) return [];
  const ids = (await store.uppers.list()).filter((id) => !needed.uppers.has(id));
  return ids.map((name) => ({ kind: "upper", name, sizeBytes: 0 }));
}

/** Sizes of whole trees are not summed up: that would take longer than removing them. */
async function temporaries(store: Store): Promise<GarbageItem[]> {
  const directory = join(store.root, "tmp");
  const table = await readFile("/proc/self/mountinfo", "latin1");
  // A mount that a killed build left has to end first (engine/build/sweep.ts): its files are other layers'.
  const isMounted = (name: string): boolean =>
    mountPointsBelow(table, bytesOf(join(directory, name))).length > 0;
  const names = (await readdir(directory)).filter((name) => !isInUse(name) && !isMounted(name));
  return await Promise.all(
    names.map(async (name) => {
      const found = await lstat(join(directory, name));
      return { kind: "temporary" as const, name, sizeBytes: found.isFile() ? found.size : 0 };
    }),
  );
}

async function remove(store: Store, item: GarbageItem): Promise<void> {
  switch (item.kind) {
    case "blob":
      return await store.blobs.delete(item.name as Digest);
    case "layer":
      return await store.layers.delete(item.name as ChainId);
    case "upper":
      return await store.uppers.remove(item.name);
    case "temporary":
      return await removeDirectory(join(store.root, "tmp", item.name));
  }
}
