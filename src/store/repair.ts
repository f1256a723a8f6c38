// Removes what is damaged and nothing that is whole: blobs whose bytes are others, unpacked layers
// that are not whole, or not what their blobs say, and can be made again, indexes of layers that are not their files', names of images that lost a part, containers whose record
// is lost and in which nothing was written.

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ChainId, Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import { familiarReference } from "../oci/index.js";
import {
  type CheckFinding,
  type CheckReport,
  checkAll,
  checkDocument,
  isRefused,
} from "./check.js";
import { neededUppers } from "./container-record.js";
import type { HeldLock } from "./lock-file.js";
import { namesIn } from "./names-in.js";
import type { Store } from "./store.js";

/** One thing that was removed. */
export interface RepairedItem {
  readonly kind: CheckFinding["kind"];
  /** Digest, image name, chain ID or container ID. */
  readonly name: string;
}

/** Looks further than the store itself can: for what only the union knows. */
export type LookFurther = (report: CheckReport) => Promise<CheckReport>;

/** Hold the store's lock exclusively. What had to stay is found again by the next check. */
export async function repairStore(
  store: Store,
  _held: HeldLock,
  further: LookFurther,
): Promise<RepairedItem[]> {
  const { findings } = await further(await checkAll(store));
  const damaged = (kind: CheckFinding["kind"]) =>
    findings.filter((finding) => finding.kind === kind).map(({ object }) => object);
  const removed: RepairedItem[] = [];
  for (const name of damaged("blob")) {
    await store.blobs.delete(name as Digest);
    removed.push({ kind: "blob", name });
  }
  await store.blobs.sync();
  removed.push(...(await removeImages(store)));
  const wanted = await keptLayers(store);
  for (const name of damaged("layer")) {
    if (wanted.has(name as ChainId)) continue;
    await store.layers.delete(name as ChainId);
    removed.push({ kind: "layer", name });
  }
  for (const name of damaged("index")) {
    await rm(store.layers.indexPath(name as ChainId), { force: true });
    removed.push({ kind: "index", name });
  }
  for (const id of (await store.containers.damaged()).keys()) {
    if (!(await isUnwritten(store, id))) continue;
    if (await removeContainer(store, id)) removed.push({ kind: "container", name: id });
  }
  return removed;
}

/** False while a mount process serves it. */
async function removeContainer(store: Store, id: string): Promise<boolean> {
  try {
    await store.containers.remove(id);
    return true;
  } catch (error) {
    if (error instanceof EngineError && error.code === "IN_USE") return false;
    throw error;
  }
}

/** Entries of index.json that lead to something that is missing or damaged. */
async function removeImages(store: Store): Promise<RepairedItem[]> {
  const removed: RepairedItem[] = [];
  for (const { reference, descriptor } of await store.references.list()) {
    if (!(await isRefused(() => checkDocument(store, descriptor)))) continue;
    if (reference === undefined) await store.references.deleteImage(descriptor.digest);
    else await store.references.delete(reference);
    const name = reference === undefined ? descriptor.digest : familiarReference(reference);
    removed.push({ kind: "image", name });
  }
  return removed;
}

/** Layers of which what is left stays: a mounted container stands on them, or another one and no image can give them again. */
async function keptLayers(store: Store): Promise<Set<ChainId>> {
  const again = new Set((await store.images()).flatMap(({ chain }) => chain));
  const kept = new Set<ChainId>();
  for (const container of await store.containers.list()) {
    const mounted = (await store.containers.mountState(container.id)) !== undefined;
    for (const chainId of container.chain) {
      if (mounted || !again.has(chainId)) kept.add(chainId);
    }
    // The tree of a frozen upper: the container has no other.
    for (const id of neededUppers(container)) {
      const archive = await store.uppers.archive(id);
      if (archive !== undefined) kept.add(archive.chainId);
    }
  }
  return kept;
}

/** Nothing was written in the container: it has one upper to write to, which holds no file, and no file in a volume. */
async function isUnwritten(store: Store, id: string): Promise<boolean> {
  if (await hasVolumeFiles(store.containers.paths(id).volumes)) return false;
  const uppers = (await store.uppers.ownedBy(id)).filter((one) => !store.uppers.isPoints(one));
  const [upper, ...others] = uppers;
  if (upper === undefined) return true;
  return others.length === 0 && (await readdir(store.uppers.paths(upper).diff)).length === 0;
}

/** What is no directory, where one of ours would be, was put there by somebody: it counts as a file. */
async function hasVolumeFiles(volumes: string): Promise<boolean> {
  try {
    for (const name of await namesIn(volumes)) {
      if ((await namesIn(join(volumes, name, "_data"))).length > 0) return true;
    }
    return false;
  } catch (error) {
    if (hasCode(error, "ENOTDIR")) return true;
    throw error;
  }
}
