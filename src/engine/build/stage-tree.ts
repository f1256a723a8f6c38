// The files of a stage, read by this process: its layers, unpacked where they are not, as one tree.

import { manifestOf } from "../../image/index.js";
import { type FindableNode, type Layer, memoryLayer } from "../../layer/index.js";
import { Overlay } from "../../overlay/index.js";
import type { Store } from "../../store/index.js";
import { layersOf, openStack } from "../stack.js";
import type { StageState } from "./stage-state.js";

/** A merged tree that is open; dispose of it. */
export interface OpenTree extends Disposable {
  readonly tree: FindableNode;
}

/** Unpacks what is missing of the stage's layers. Throws EngineError DATA_LOSS, NOT_FOUND; FsError. */
export async function unpackStage(store: Store, state: StageState): Promise<void> {
  const { layers } = manifestOf(state.documents());
  for (const [n, { digest }] of layers.entries()) {
    await store.layers.ensure({
      diffIds: state.diffIds.slice(0, n + 1),
      open: () => store.blobs.stream(digest, { verify: true }),
    });
  }
}

/** The stage's files. */
export async function openStage(store: Store, state: StageState): Promise<OpenTree> {
  await unpackStage(store, state);
  const stack = openStack(store, await layersOf(store, state.chain));
  // FROM scratch: no layers are an empty root.
  return treeOf(stack.length > 0 ? stack : [memoryLayer({ title: "scratch" })]);
}

function treeOf(stack: readonly Layer[]): OpenTree {
  const overlay = new Overlay({ stack });
  return { tree: overlay.tree(), [Symbol.dispose]: () => overlay.close() };
}
