// Where COPY --from and RUN --mount=from lead: a stage before this one, or an image.

import { faultAt, type Place } from "../../dockerfile/index.js";
import type { BuildJob } from "./build-job.js";
import type { SourceRoot } from "./copy-source.js";
import type { StageNode } from "./stage-graph.js";
import { StageState } from "./stage-state.js";
import { openStage } from "./stage-tree.js";

/** Files to copy from, opened when they are needed. */
export interface CopyOrigin {
  /** Of all its files; undefined for the context, whose files are told one by one. */
  readonly key: string | undefined;
  open(): Promise<SourceRoot & Disposable>;
}

/** A stage or an image. */
export interface NamedOrigin extends CopyOrigin {
  readonly key: string;
  readonly state: StageState;
  /** For messages. */
  readonly title: string;
}

/** The files of a stage or an image that COPY --from or a mount names. */
export async function originOf(
  job: BuildJob,
  node: StageNode,
  from: string,
  place: Place,
): Promise<NamedOrigin> {
  const number = job.graph.source(from, place);
  if (number !== undefined && number >= node.number) {
    throw faultAt(
      place,
      `cannot copy from stage "${from}", it needs to be defined before current stage "${node.title}"`,
    );
  }
  const state = number === undefined ? await imageState(job, from, place) : await job.stage(number);
  const title = number === undefined ? `image "${from}"` : `stage "${from}"`;
  return {
    key: state.key,
    state,
    title,
    open: async () => {
      const opened = await openStage(job.store, state);
      return {
        tree: opened.tree,
        context: undefined,
        title,
        [Symbol.dispose]: () => opened[Symbol.dispose](),
      };
    },
  };
}

async function imageState(job: BuildJob, from: string, place: Place): Promise<StageState> {
  if (from === "scratch") return StageState.scratch(job.hostPlatform, job.now);
  return StageState.of(await job.images.get(from, job.platform, place), job.now);
}
