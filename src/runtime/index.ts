// The door of runtime/: real OCI runtimes, and what they are told.

export * from "./container-config.js";
export { readHostFacts } from "./host.js";
export { OciRuntime, type OciRuntimeOptions, type ProcessPlaces } from "./oci-runtime.js";
export * from "./options/index.js";
export { type RunOnceJob, type RunOnceResult, runOnce } from "./run-once.js";
export { findRuntime, type RuntimeProgram } from "./runtime-program.js";
export * from "./spec/index.js";
export { StartError, type StartStatus } from "./start-error.js";
