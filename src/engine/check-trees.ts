// Are the unpacked layers what their blobs say? Each blob is unpacked once more, beside the store's tree,
// and both are looked at as layers of the same stack: what a mount would show must be the same.

import { join } from "node:path";
import { assert } from "../assert.js";
import { type ChainId, type DiffId, hexOf } from "../digest.js";
import { EngineError } from "../errors.js";
import { type ChangeKind, changeKinds, openDirectoryLayer } from "../layer/index.js";
import { Overlay } from "../overlay/index.js";
import { type LayerPath, textOf } from "../path.js";
import {
  type CheckFinding,
  type LayerInfo,
  removeStoreDirectory,
  type Store,
  type StoredImage,
} from "../store/index.js";

/** A layer that an image of the store has. */
interface Unpacked {
  /** Base first, itself the last. */
  readonly chain: readonly ChainId[];
  readonly diffId: DiffId;
  archive(): AsyncIterable<Uint8Array>;
}

const STATES = { A: "is not in its blob", C: "is not as in its blob", D: "is missing" };

/** What comparing gave. */
export interface CheckedTrees {
  readonly findings: readonly CheckFinding[];
  /** Layers of which nothing is known now, though nothing is known to be wrong with them either; whole messages. */
  readonly uncompared: readonly string[];
}

/**
 * The layers among `wanted` that show something else than their blobs. Those whose blobs are damaged or gone, or of whose
 * stack a part is, are left out: that is told elsewhere. Hold the store's lock. Takes as much room as the largest layer,
 * and all that are damaged. Throws FsError.
 */
export async function checkTrees(
  store: Store,
  wanted: (chainId: ChainId) => boolean,
): Promise<CheckedTrees> {
  await using scratch = await store.scratch("check");
  /** What is below counts as its blob says: one damaged layer makes no other one damaged. */
  const fresh = new Map<ChainId, string>();
  const treeOf = (chainId: ChainId): string => fresh.get(chainId) ?? store.layers.path(chainId);
  const findings: CheckFinding[] = [];
  const layers = await layersBaseFirst(store);
  const told = new Set(layers.map(({ chain }) => chain.at(-1)));
  const uncompared = (await store.layers.list())
    .filter((chainId) => wanted(chainId) && !told.has(chainId))
    .map((chainId) => notCompared(chainId, "no image and no container says what it stands on"));
  for (const layer of layers) {
    const object = layer.chain.at(-1);
    assert(object !== undefined, "a chain has a top");
    if (!wanted(object)) continue;
    const state = await stateOf(store, layer.chain);
    if (state === "foreign") uncompared.push(notCompared(object, FOREIGN));
    if (state !== "comparable") continue;
    const below = layer.chain.slice(0, -1).map(treeOf).reverse();
    const tree = join(scratch.path, hexOf(object));
    if (!(await unpacks(store, layer, { tree, below }))) continue;
    const changes = differences(store, { tree, kept: store.layers.path(object), below });
    const [first] = changes;
    if (first === undefined) await removeStoreDirectory(tree);
    else {
      fresh.set(object, tree);
      const more = changes.length === 1 ? "" : ` (and ${changes.length - 1} more)`;
      const state = `"/${textOf(first.path)}" of the unpacked layer ${STATES[first.kind]}${more}`;
      findings.push({ kind: "layer", object, message: `Cannot use "${object}": ${state}` });
    }
  }
  return { findings, uncompared };
}

const FOREIGN = "it, or a layer below it, was unpacked with other rights or in another format";

function notCompared(chainId: ChainId, reason: string): string {
  return `Cannot compare "${chainId}" with its blob: ${reason}`;
}

/** Of all images, and of those that containers were made from; each once. */
async function layersBaseFirst(store: Store): Promise<Unpacked[]> {
  const images: StoredImage[] = await store.images();
  for (const { manifest } of await store.containers.list()) {
    const image = await unlessDamaged(() => store.image(manifest));
    if (image !== undefined) images.push(image);
  }
  const layers = new Map<ChainId, Unpacked>();
  for (const { chain, config, manifest, blob } of images) {
    for (const [n, chainId] of chain.entries()) {
      const [diffId, packed] = [config.diffIds[n], manifest.layers[n]];
      if (diffId === undefined || packed === undefined) continue;
      const archive = () => blob(packed.digest);
      layers.set(chainId, { chain: chain.slice(0, n + 1), diffId, archive });
    }
  }
  return [...layers.values()].sort((a, b) => a.chain.length - b.chain.length);
}

/** Whether all of the stack is there, and written as this process would. */
async function stateOf(
  store: Store,
  chain: readonly ChainId[],
): Promise<"comparable" | "foreign" | "damaged"> {
  const own = store.layers.format;
  let isForeign = false;
  for (const chainId of chain) {
    const info = await unlessDamaged(() => store.layers.info(chainId));
    if (info === undefined || !(await store.layers.hasTree(chainId))) return "damaged";
    isForeign ||= !isSameFormat(info.format, own);
  }
  return isForeign ? "foreign" : "comparable";
}

function isSameFormat(a: LayerInfo["format"], b: LayerInfo["format"]): boolean {
  return a.ownership === b.ownership && a.xattrPrefix === b.xattrPrefix;
}

/** A tree, and those below it, topmost first. */
interface Stack {
  readonly tree: string;
  readonly below: readonly string[];
}

/** False when the blob can't be unpacked: the blob is at fault, and nothing is known of the tree. */
async function unpacks(
  store: Store,
  { diffId, archive }: Unpacked,
  { tree, below }: Stack,
): Promise<boolean> {
  const unpacked = await unlessDamaged(async () => {
    await store.layers.unpackInto(tree, { diffId, archive: archive(), below });
    return true;
  });
  if (unpacked === undefined) await removeStoreDirectory(tree);
  return unpacked === true;
}

function differences(store: Store, { tree, kept, below }: Stack & { kept: string }): ChangeKind[] {
  const open = (top: string): Overlay => {
    const options = { ...store.layers.format, whFiles: false };
    return new Overlay({ stack: [top, ...below].map((path) => openDirectoryLayer(path, options)) });
  };
  const told = open(tree);
  try {
    const found = open(kept);
    try {
      return innermost([...changeKinds(told.tree(), found.tree())]);
    } finally {
      found.close();
    }
  } finally {
    told.close();
  }
}

/** Without the directories that are only named because something in them differs. */
function innermost(changes: readonly ChangeKind[]): ChangeKind[] {
  const isAbove = (path: LayerPath, other: ChangeKind | undefined): boolean =>
    other?.path.startsWith(`${path}/`) === true;
  return changes.filter(({ kind, path }, n) => kind !== "C" || !isAbove(path, changes[n + 1]));
}

async function unlessDamaged<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}
