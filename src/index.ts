// The library: everything the command can do, from code. See README.md for an example.

export * from "./engine/index.js";
export { EngineError, type EngineErrorCode, FsError } from "./errors.js";
export type { Container, ImageRecord } from "./store/index.js";
