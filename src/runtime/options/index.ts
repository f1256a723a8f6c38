// The door of options/: the values of run's and create's options.

export {
  type HostEnvironment,
  parseLabel,
  parseLabelFile,
  parseVariable,
  parseVariableFile,
} from "./environment.js";
export { checkDuplicateTargets, parseMount } from "./mount.js";
export {
  parseBytes,
  parseCpusOption,
  parseIntegerOption,
  parseLimitOption,
  parsePidsLimit,
  parseSizeOption,
  parseSwapOption,
} from "./resources.js";
export { checkVolumeName, parseTmpfs, parseVolume } from "./volume.js";
