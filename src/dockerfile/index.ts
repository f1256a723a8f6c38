// The door of dockerfile/: what the engine may use. No code of its own.

export type { Pair } from "./arguments.js";
export { expandInstruction } from "./expand.js";
export { type ExpandOptions, expandWord, expandWords, type Lookup } from "./expand-word.js";
export { faultAt, type Place, placed, SyntaxFault } from "./fault.js";
export { type GlobOptions, globExpression, hasWildcard } from "./glob.js";
export { type Heredoc, heredocText, parseHeredocWord } from "./heredoc.js";
export { type IgnoreResult, IgnoreRules } from "./ignore.js";
export type * from "./instruction.js";
export { parseDockerfile } from "./parse.js";
export { type ChangeInstruction, parseChanges } from "./parse-changes.js";
export { parseTriggerText } from "./parse-instruction.js";
export { parseRunMount, type RunMount } from "./run-mount.js";
export {
  type BuildArgs,
  globalScope,
  platformArgs,
  StageScope,
  unusedBuildArgs,
} from "./scope.js";
