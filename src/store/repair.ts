// Removes what is damaged and nothing that is whole: blobs whose bytes are others, unpacked layers
// that are not whole and can be made again, names of images that lost a part, containers whose record
// is lost and in which nothing was written.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ChainId, Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { familiarReference } from "../oci/index.js";
import { type CheckFinding, checkAll, checkDocument, isRefused } from "./check.js";
import type { HeldLock } from "./lock-file.js";
import type { Store } from "./store.js";

/** One thing that was removed. */
export interface RepairedItem {
  readonly kind: CheckFinding["kind"];
  /** Digest, image name, chain ID or container ID. */
  readonly name: string;
}

/** Hold the store's lock exclusively. What had to stay is found again by the next check. */
export async function repairStore(store: Store, _held: HeldLock): Promise<RepairedItem[]> {
  const { findings } = await checkAll(store);
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
  for (const { id, chain } of await store.containers.list()) {
    const mounted = (await store.containers.mountState(id)) !== undefined;
    for (const chainId of chain) if (mounted || !again.has(chainId)) kept.add(chainId);
  }
  return kept;
}

/** Nothing was written in the container: its upper holds no file. */
async function isUnwritten(store: Store, id: string): Promise<boolean> {
  const { upper, home } = store.containers.paths(id);
  if (!(await readdir(home)).includes("upper")) return true;
  if ((await readdir(upper)).length > 0) return false;
  // A change that was frozen lies beside the upper.
  const frozen = join(home, "frozen");
  return !(await readdir(home)).includes("frozen") || (await readdir(frozen)).length === 0;
}
