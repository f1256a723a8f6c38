// --squash: the layers that were built become one, which says the difference to the base.

import type { ImageDocuments } from "../../image/index.js";
import { compareTrees, memoryLayer } from "../../layer/index.js";
import { Overlay } from "../../overlay/index.js";
import { layersOf, openStack } from "../stack.js";
import type { BuildJob } from "./build-job.js";
import type { StageState } from "./stage-state.js";
import { unpackStage } from "./stage-tree.js";
import { makeLayer } from "./step-layer.js";

/** The image with one new layer, or none when nothing was changed. Throws FsError. */
export async function squashed(job: BuildJob, state: StageState): Promise<ImageDocuments> {
  const { store, scratch } = job;
  if (state.newLayers.length < 2) return state.documents();
  await unpackStage(store, state);
  const count = state.diffIds.length - state.newLayers.length;
  const base = state.diffIds.slice(0, count);
  const layers = await layersOf(store, state.chain);
  const lower = openStack(store, layers.slice(state.newLayers.length));
  const below = new Overlay({ stack: lower.length > 0 ? lower : [memoryLayer()] });
  const whole = new Overlay({ stack: openStack(store, layers) });
  try {
    const layer = await makeLayer(store, scratch, base, compareTrees(below.tree(), whole.tree()));
    return state.documents(layer === undefined ? [] : [layer]);
  } finally {
    whole.close();
    below.close();
  }
}
