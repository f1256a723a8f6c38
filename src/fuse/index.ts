// The door of fuse/: mounting a stack of layers in a process of its own, and talking to it.

export {
  freezeMount,
  holdFile,
  mountStatistics,
  pauseMount,
  releaseMount,
  resumeMount,
  settleMount,
  shutdownMount,
} from "./mount/mount-control.js";
export {
  findMountProcess,
  killMountProcess,
  killMountProcesses,
  type MountedProcess,
  mountInProcess,
  startMountProcess,
  type Unmounted,
  type UnmountOptions,
  unmount,
  type WaitingMountProcess,
} from "./mount/mount-in-process.js";
export {
  type FastWakeupsUse,
  type FuseDriver,
  type MountFlag,
  type MountJob,
  type MountReport,
  type PassthroughChoice,
  SMALL_FILE_BYTES,
  type UpperPlace,
} from "./mount/mount-job.js";
export { serveMount } from "./mount/mount-service.js";
export {
  findMount,
  type MountEntry,
  readMountTable,
  STRATA_MOUNT_TYPE,
} from "./mount/mount-table.js";
export type { FreezePlan, FreezeReport, MovedFile } from "./session/freeze.js";
export type { SessionStatistics } from "./session/fuse-session.js";
