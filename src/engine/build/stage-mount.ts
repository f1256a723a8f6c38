// A stage's files as a mount of this engine: under an upper for RUN, read-only for what RUN looks at.

import { join } from "node:path";
import { type MountedProcess, mountInProcess } from "../../fuse/index.js";
import { features } from "../../sys/index.js";
import { layersOf } from "../stack.js";
import type { BuildJob } from "./build-job.js";
import type { StageState } from "./stage-state.js";
import { unpackStage } from "./stage-tree.js";

export interface StageMountPlace {
  /** An empty directory. */
  readonly target: string;
  /** Where changes go; without it there can be none. */
  readonly changes?: { readonly upper: string; readonly work: string };
}

/** Unmount it by its target and pid. Throws EngineError UNAVAILABLE. */
export async function mountStage(
  job: BuildJob,
  state: StageState,
  place: StageMountPlace,
): Promise<MountedProcess> {
  const { store } = job;
  await unpackStage(store, state);
  const layers = await layersOf(store, state.chain);
  const formats = [store.layers.format, ...layers.map(({ format }) => format)];
  const isRecorded = formats.some(({ ownership }) => ownership === "override");
  return await mountInProcess({
    target: place.target,
    source: "strata:build",
    logFile: join(job.scratch.path, "mount.log"),
    whFiles: false,
    ownership: isRecorded ? "override" : "native",
    permissions: isRecorded && !features().mount ? "owner-only" : "checked",
    lowers: layers.map(({ chainId }) => store.layers.path(chainId)),
    // The upper becomes a layer as it is: all its files are whole.
    copyUp: "whole",
    metacopy: false,
    // What is not finished is thrown away, so a crash may take it.
    volatile: true,
    readOnly: place.changes === undefined,
    ...place.changes,
  });
}
