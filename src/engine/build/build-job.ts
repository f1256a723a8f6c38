// What all stages of one build share.

import type { BuildArgs, Dockerfile } from "../../dockerfile/index.js";
import type { Platform } from "../../oci/index.js";
import type { Slots } from "../../slots.js";
import type { ScratchDirectory, Store } from "../../store/index.js";
import type { BaseImages } from "./base-image.js";
import type { BuildContext } from "./context.js";
import type { NextRoots } from "./next-root.js";
import type { BuildProgress } from "./progress.js";
import type { BuildRequest } from "./request.js";
import type { StageGraph } from "./stage-graph.js";
import type { StageState } from "./stage-state.js";

export interface BuildJob {
  readonly store: Store;
  readonly request: BuildRequest;
  readonly context: BuildContext;
  readonly dockerfile: Dockerfile;
  readonly graph: StageGraph;
  readonly buildArgs: BuildArgs;
  /** The values before the first FROM, platforms among them. */
  readonly globals: ReadonlyMap<string, string>;
  readonly hostPlatform: Platform;
  /** Of --platform. */
  readonly platform: Platform | undefined;
  readonly images: BaseImages;
  readonly progress: BuildProgress;
  /** Everything that is made on the way. */
  readonly scratch: ScratchDirectory;
  /** Ends the build. */
  readonly signal: AbortSignal;
  /** RUN steps that may go on at once. */
  readonly running: Slots;
  readonly nextRoots: NextRoots;
  /** When it all began: the time of what has no other. */
  readonly now: Date;
  /** SOURCE_DATE_EPOCH. */
  readonly latestSec: number | undefined;
  /** The result of another stage, which is begun when it was not. */
  stage(number: number): Promise<StageState>;
}
