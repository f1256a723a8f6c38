// The door of image/.

export * from "./changes.js";
export {
  applyConfigChanges,
  type ConfigChange,
  changedEnv,
  checkedSignal,
  healthcheckJson,
  portsOf,
} from "./config-change.js";
export * from "./image.js";
export type * from "./image-target.js";
export { type ImportOptions, importRootfs, putImage } from "./import-rootfs.js";
export { collectAfterFailure, type LoadedImage, type LoadOptions, load } from "./load.js";
export type { MemberProgress } from "./members.js";
export { type SaveProgress, saveDockerArchive, saveOciArchive } from "./save.js";
export { checkDiffId, type UnpackedBytes, validateImage, verifyImage } from "./verify.js";
