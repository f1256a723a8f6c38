// One step: known by its key, or carried out and remembered.

import { chainIds } from "../../digest.js";
import { faultAt, type Place, SyntaxFault } from "../../dockerfile/index.js";
import { FsError } from "../../errors.js";
import type { BuildJob } from "./build-job.js";
import type { RunningStep } from "./progress.js";
import type { BuiltLayer, StageState } from "./stage-state.js";

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
  carryOut(running: RunningStep): Promise<BuiltLayer | undefined>;
}

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
    if (error instanceof SyntaxFault) throw faultAt(step.place, error.message);
    if (error instanceof FsError) {
      throw faultAt(step.place, error.message, "UNAVAILABLE", { cause: error });
    }
    throw error;
  }
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
  const { createdBy, description } = { createdBy: step.createdBy, description: step.createdBy };
  const alias = detailed === undefined ? {} : { alias: detailed };
  if (found !== undefined) {
    if (quick === undefined) {
      await buildCache.put({ ...found, key: keys.key, description, ...alias });
    }
    job.progress.cachedSteps += 1;
    state.addLayer(createdBy, found.layer, found.createdAt);
    state.key = found.key;
    return true;
  }
  const layer = await step.carryOut(running);
  job.signal.throwIfAborted();
  const key = detailed ?? keys.key;
  const createdAt = job.latestSec === undefined ? new Date() : job.now;
  const chainId = layer && chainIds([...state.diffIds, layer.diffId]).at(-1);
  const kept = layer === undefined || chainId === undefined ? undefined : { ...layer, chainId };
  const record = { key, layer: kept, description, createdAt };
  await buildCache.put(record);
  if (key !== keys.key) await buildCache.put({ ...record, key: keys.key, ...alias });
  state.addLayer(createdBy, layer, createdAt);
  state.key = key;
  return false;
}
