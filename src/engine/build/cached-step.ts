// One step: known by its key, or carried out and remembered.

import { faultAt, type Place, SyntaxFault } from "../../dockerfile/index.js";
import { FsError } from "../../errors.js";
import type { BuildJob } from "./build-job.js";
import type { RunningStep } from "./progress.js";
import type { BuiltLayer, KeptLayer, StageState } from "./stage-state.js";
import { chainIdAbove } from "./step-layer.js";

/** A step that may make a layer. */
export interface Step {
  /** "[build 2/5] RUN make". */
  readonly title: string;
  readonly place: Place;
  /** For the history, and for lists of the cache. */
  readonly createdBy: string;
  /** Everything that the result depends on: quickly found, and then, if there is one, in detail. */
  keys(running: RunningStep): Promise<StepKeys>;
  /** Makes the layer; undefined when nothing is changed. */
  carryOut(running: RunningStep): Promise<MadeLayer | undefined>;
}

/** A layer, or one whose digest comes later. */
export type MadeLayer = BuiltLayer | { readonly written: Promise<KeptLayer> };

export interface StepKeys {
  readonly key: string;
  /** Another key by which the step may be known, when it is not by the first. */
  readonly detailed?: () => Promise<string>;
}

/** Carries the step out unless the cache has it. Throws EngineError with the step's place. */
export async function runStep(job: BuildJob, state: StageState, step: Step): Promise<void> {
  job.signal.throwIfAborted();
  const running = job.progress.begin(step.title);
  job.progress.steps += 1;
  try {
    const isCached = await known(job, state, step, running);
    running.end(isCached ? "cached" : "done");
  } catch (error) {
    running.end("failed");
    throw errorAt(step, error);
  }
}

/** The error as it is told of a step. */
function errorAt(step: Step, error: unknown): unknown {
  if (error instanceof SyntaxFault) return faultAt(step.place, error.message);
  if (error instanceof FsError) {
    return faultAt(step.place, error.message, "UNAVAILABLE", { cause: error });
  }
  return error;
}

/** True when the step was not carried out. */
async function known(
  job: BuildJob,
  state: StageState,
  step: Step,
  running: RunningStep,
): Promise<boolean> {
  const { buildCache } = job.store;
  const keys = await step.keys(running);
  const useCache = job.request.noCache !== true;
  const quick = useCache ? await buildCache.get(keys.key) : undefined;
  const detailed = quick === undefined ? await keys.detailed?.() : undefined;
  const found =
    quick ?? (useCache && detailed !== undefined ? await buildCache.get(detailed) : undefined);
  const { createdBy } = step;
  const alias = detailed === undefined ? {} : { alias: detailed };
  if (found !== undefined) {
    await state.settle();
    if (quick === undefined) {
      await buildCache.put({ ...found, key: keys.key, description: createdBy, ...alias });
    }
    job.progress.cachedSteps += 1;
    state.addLayer(createdBy, found.layer, found.createdAt);
    state.key = found.key;
    return true;
  }
  const made = await step.carryOut(running);
  job.signal.throwIfAborted();
  const key = detailed ?? keys.key;
  const createdAt = job.latestSec === undefined ? new Date() : job.now;
  const remember = async (layer: KeptLayer | undefined): Promise<void> => {
    const record = { key, layer, description: createdBy, createdAt };
    await buildCache.put(record);
    if (key !== keys.key) await buildCache.put({ ...record, key: keys.key, ...alias });
  };
  if (made !== undefined && "written" in made) {
    const written = made.written.then(
      async (layer) => {
        await remember(layer);
        return layer;
      },
      (error: unknown) => {
        throw errorAt(step, error);
      },
    );
    state.addUnsettled(createdBy, written, createdAt);
  } else {
    const chainId = made && chainIdAbove(state.diffIds, made.diffId);
    await remember(made && chainId && { ...made, chainId });
    state.addLayer(createdBy, made, createdAt);
  }
  state.key = key;
  return false;
}
