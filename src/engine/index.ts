// The door of engine/: every verb with its request and result.

export { isWebAddress } from "../registry/index.js";

export { StartError, type StartStatus } from "../runtime/start-error.js";
export type { CheckReport } from "../store/index.js";
export { type BranchRequest, branch } from "./branch.js";
export * from "./build/index.js";
export { type CheckRequest, check, type RepairReport, repair } from "./check.js";

export {
  type CommitDirectoryRequest,
  type CommitOptions,
  type CommitRequest,
  type Committed,
  commit,
  commitDirectory,
} from "./commit.js";
export { withConfiguredFilters } from "./configured-filters.js";
export {
  type AttachedContainer,
  type AttachRequest,
  attach,
} from "./container/attach.js";
export { containerConfig } from "./container/config-file.js";
export { type CreateRequest, create, type PullPolicy } from "./container/create.js";
export { type ExecRequest, exec } from "./container/exec.js";
export { type CommandPlace, placeForContainer } from "./container/id-namespace.js";
export { type LogLine, type LogsRequest, logs } from "./container/logs.js";
export type { Attachment } from "./container/monitor-job.js";
export { pause, unpause } from "./container/pause.js";
export type { StartOptions } from "./container/prepare-start.js";
export { type PresentState, presentState, type ShownStatus } from "./container/present-state.js";
export { type ContainerSizes, type PsLine, type PsRequest, ps } from "./container/ps.js";
export { rename } from "./container/rename.js";
export type { RunOptions } from "./container/run-options.js";
export type { MonitorSession, ProgramSession } from "./container/session.js";
export { type StartedContainer, start } from "./container/start.js";
export { namesToStart } from "./container/start-all.js";
export { type ContainerStats, type StatsRequest, stats } from "./container/stats.js";
export {
  exitCodeOf,
  type KillRequest,
  kill,
  restart,
  type StopRequest,
  stop,
  wait,
} from "./container/stop.js";
export { type ProcessTable, top } from "./container/top.js";
export type { ContainerView } from "./container/view.js";
export {
  type ContainerPruneRequest,
  containerPrune,
  type PrunedContainers,
} from "./container-prune.js";
export { type ContainerLine, containers } from "./containers.js";
export {
  type Copied,
  type CopyFromRequest,
  type CopyToRequest,
  copyFromContainer,
  copyToContainer,
} from "./cp.js";
export { type Change, type ChangeKind, diff, diffImages } from "./diff.js";
export {
  type BuildUsage,
  type DiskUsage,
  diskUsage,
  type ImageUsage,
  type Usage,
  type VolumeUsage,
} from "./disk-usage.js";
export { type ExportRequest, exportContainer } from "./export.js";
export { type HistoryStep, history } from "./history.js";
export { type ImagePruneRequest, imagePrune, type PrunedImages } from "./image-prune.js";
export { type ImageLine, type ImagesRequest, images } from "./images.js";
export { type ImportRequest, importArchive } from "./import.js";
export {
  type InspectedObject,
  type InspectRequest,
  inspect,
  OBJECT_TYPES,
  type ObjectType,
} from "./inspect.js";
export type { Inspection } from "./inspection.js";
export { type KnownNames, knownNames } from "./known-names.js";
export { configuredFormat, type ListFormat } from "./list-format.js";
export { type LoadRequest, load } from "./load.js";
export { type LoginRequest, type LogoutRequest, login, logout, registryDomain } from "./login.js";
export { type MountedContainer, type MountRequest, mount } from "./mount.js";
export { openStore, type Store } from "./open-store.js";
export type { Progress, ProgressEvent } from "./progress.js";
export { type PruneRequest, prune } from "./prune.js";
export { isBareName, type PulledImage, type PullRequest, pull } from "./pull.js";
export { type PushedImage, type PushRequest, push } from "./push.js";
export { type RemoveRequest, rm } from "./rm.js";
export { type RemovedImage, type RemoveImageRequest, rmi } from "./rmi.js";
export { type Applied, type ApplyRequest, apply } from "./sandbox/apply.js";
export type { Conflict, ConflictKind } from "./sandbox/conflicts.js";
export { type MountDirectoryRequest, mountDirectory } from "./sandbox/mount-directory.js";
export { type SaveRequest, save } from "./save.js";
export { type SearchRequest, search } from "./search.js";
export { type TagRequest, tag } from "./tag.js";
export type { LayerState, OnTransfer, TransferEvent } from "./transfer.js";
export { type UnmountRequest, unmount } from "./unmount.js";
export {
  type CreateVolumeRequest,
  createVolume,
  listVolumes,
  type PrunedVolumes,
  removeVolume,
  type VolumeLine,
  type VolumePruneRequest,
  volumePrune,
} from "./volumes.js";
