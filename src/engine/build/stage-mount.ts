// A stage's files as a mount of this engine: under an upper for RUN, read-only for what RUN looks at.

import { join } from "node:path";
import {
  type MountedProcess,
  startMountProcess,
  type UpperPlace,
  type WaitingMountProcess,
} from "../../fuse/index.js";
import { features } from "../../sys/index.js";
import { indexesOf, layersOf } from "../stack.js";
import type { BuildJob } from "./build-job.js";
import type { StageState } from "./stage-state.js";
import { unpackStage } from "./stage-tree.js";

export interface StageMountPlace {
  /** An empty directory. */
  readonly target: string;
  /** Where changes go; without it there can be none. */
  readonly changes?: UpperPlace;
  /** A directory that is shown above the stage's layers. */
  readonly above?: string;
  /** Where plans of freezes come; without it there can be none. */
  readonly freezePlan?: string;
  /** A process that was started for this target. */
  readonly waiting?: WaitingMountProcess;
}

/** The log of a build's mount processes. */
export function mountLog(job: BuildJob): string {
  return join(job.scratch.path, "mount.log");
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
  const logFile = mountLog(job);
  const waiting = place.waiting ?? startMountProcess(place.target, logFile);
  return await waiting.mount({
    target: place.target,
    source: "strata:build",
    logFile,
    whFiles: false,
    ownership: isRecorded ? "override" : "native",
    permissions: isRecorded && !features().mount ? "owner-only" : "checked",
    lowers: [
      ...(place.above === undefined ? [] : [place.above]),
      ...layers.map(({ chainId }) => store.layers.path(chainId)),
    ],
    lowerIndexes: indexesOf(store, layers),
    // The upper becomes a layer as it is: all its files are whole.
    copyUp: "whole",
    metacopy: false,
    // What is not finished is thrown away, so a crash may take it.
    volatile: true,
    readOnly: place.changes === undefined,
    ...place.changes,
    ...(place.freezePlan === undefined ? {} : { freezePlan: place.freezePlan }),
  });
}
