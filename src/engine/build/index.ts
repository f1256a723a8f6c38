// The door of engine/build: the verbs, and what they are asked and tell.

export { build } from "./build.js";
export { type PruneBuildsRequest, type PrunedBuilds, pruneBuilds } from "./prune-cache.js";
export type * from "./request.js";
export { sweepBuilds } from "./sweep.js";
