// build: a Dockerfile and its context become an image.

import { availableParallelism } from "node:os";
import {
  type BuildArgs,
  type Dockerfile,
  expandWord,
  faultAt,
  globalScope,
  parseDockerfile,
  placed,
  platformArgs,
  unusedBuildArgs,
} from "../../dockerfile/index.js";
import { EngineError } from "../../errors.js";
import { hostPlatform, parsePlatformText, type Reference } from "../../oci/index.js";
import { Slots } from "../../slots.js";
import type { Store } from "../../store/index.js";
import { FirstFailure } from "../first-failure.js";
import { targetReference } from "../target-reference.js";
import { BaseImages } from "./base-image.js";
import type { BuildJob } from "./build-job.js";
import { openContext } from "./context.js";
import { NextRoots } from "./next-root.js";
import { exportBuild, keepImage } from "./output.js";
import { BuildProgress } from "./progress.js";
import type { BuildRequest, BuildResult } from "./request.js";
import { squashed } from "./squash.js";
import { buildStage } from "./stage-builder.js";
import { StageGraph } from "./stage-graph.js";
import type { StageState } from "./stage-state.js";
import { sweepBuilds } from "./sweep.js";

/**
 * Builds an image and stores or exports it. Throws EngineError: INVALID_ARGUMENT with file, line and
 * the line's text for faults of the Dockerfile and for steps that failed, NOT_FOUND, UNAVAILABLE,
 * DATA_LOSS, UNSUPPORTED; FsError; the signal's reason. Then nothing is left but what the cache keeps.
 */
export async function build(store: Store, request: BuildRequest): Promise<BuildResult> {
  const references = (request.tags ?? []).map(targetReference);
  const buildArgs = buildArgsOf(request);
  const latestSec = epochOf(buildArgs);
  const now = latestSec === undefined ? new Date() : new Date(latestSec * 1000);
  const progress = new BuildProgress(request.onEvent);
  await sweepBuilds(store);
  await using _lock = await store.lock.acquire("shared");
  await using scratch = await store.scratch("build");
  await using context = await openContext(store, request, scratch);
  const dockerfile = parseDockerfile(context.dockerfile.text, context.dockerfile.file);
  for (const warning of dockerfile.warnings) progress.note(warning);
  const platform = request.platform === undefined ? undefined : parsePlatformText(request.platform);
  const host = hostPlatform();
  const predefined = platformArgs(host, platform ?? host);
  const globals = globalScope(dockerfile, predefined, buildArgs);
  const images = basesOf(dockerfile, globals);
  const graph = new StageGraph(dockerfile, images);
  const target = graph.target(request.target);
  warnOfUnused(progress, dockerfile, buildArgs);
  const stages = new Map<number, Promise<StageState>>();
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, ...(request.signal ? [request.signal] : [])]);
  const failure = new FirstFailure(() => ending.abort());
  await using nextRoots = new NextRoots(scratch.path);
  const job: BuildJob = {
    ...{ store, request, context, dockerfile, graph, buildArgs, globals, platform, progress },
    ...{ scratch, signal, now, latestSec, nextRoots },
    hostPlatform: host,
    images: new BaseImages(store, request),
    running: new Slots(Math.max(2, availableParallelism())),
    stage: (number) => {
      const node = graph.stages[number];
      if (node === undefined) throw new EngineError("NOT_FOUND", `no stage ${number}`);
      const known =
        stages.get(number) ??
        failure.watch(async () => await buildStage(job, node, images[number] ?? ""));
      stages.set(number, known);
      return known;
    },
  };
  await failure.all([...graph.reachable(target)].map((number) => job.stage(number)));
  const state = await job.stage(target);
  return await finish(job, state, references);
}

async function finish(
  job: BuildJob,
  state: StageState,
  references: readonly Reference[],
): Promise<BuildResult> {
  const { request, progress, store } = job;
  addLabels(state, request.labels ?? {});
  const documents = request.squash === true ? await squashed(job, state) : state.documents();
  const { steps, cachedSteps } = progress;
  const names = request.output === undefined ? references : undefined;
  const result = await keepImage(store, documents, names);
  if (request.output !== undefined) {
    await exportBuild(store, result.image, request.output, references);
  }
  const { id, digest } = result;
  return { id, digest, references, steps, cachedSteps };
}

function buildArgsOf(request: BuildRequest): BuildArgs {
  const given = Object.entries(request.buildArgs ?? {}).flatMap(([name, value]) => {
    const own = value ?? process.env[name];
    return own === undefined ? [] : [[name, own] as const];
  });
  const epoch = process.env["SOURCE_DATE_EPOCH"];
  const known = new Map(given);
  if (epoch !== undefined && epoch !== "" && !known.has("SOURCE_DATE_EPOCH")) {
    known.set("SOURCE_DATE_EPOCH", epoch);
  }
  return known;
}

/** Throws EngineError INVALID_ARGUMENT when it is no number of seconds. */
function epochOf(buildArgs: BuildArgs): number | undefined {
  const text = buildArgs.get("SOURCE_DATE_EPOCH");
  if (text === undefined || text === "") return undefined;
  const seconds = Number(text);
  if (/^\d+$/.test(text) && !Number.isNaN(new Date(seconds * 1000).getTime())) return seconds;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot use SOURCE_DATE_EPOCH "${text}": it is not a number of seconds`,
  );
}

/** What each FROM names, with the values put in. */
function basesOf(dockerfile: Dockerfile, globals: ReadonlyMap<string, string>): string[] {
  return dockerfile.stages.map(({ from }) => {
    const image = placed(from.place, () =>
      expandWord(from.image, {
        lookup: (name) => globals.get(name),
        escape: dockerfile.directives.escape,
      }),
    );
    if (image !== "") return image;
    throw faultAt(from.place, `base name (${from.image}) should not be blank`);
  });
}

function warnOfUnused(progress: BuildProgress, dockerfile: Dockerfile, args: BuildArgs): void {
  const unused = unusedBuildArgs(dockerfile, args);
  if (unused.length > 0) {
    progress.note(`[Warning] One or more build-args [${unused.join(" ")}] were not consumed`);
  }
}

function addLabels(state: StageState, labels: Readonly<Record<string, string>>): void {
  if (Object.keys(labels).length === 0) return;
  const before = state.config["Labels"];
  state.config["Labels"] = { ...(typeof before === "object" ? before : {}), ...labels };
}
