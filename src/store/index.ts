// The door of store/.

export { type BlobExpectation, BlobWriter, type WriterOptions } from "./blob-writer.js";
export { type BlobInfo, BlobStore, type ReadOptions } from "./blobs.js";
export { BuildCache, type CachedStep, type ListedStep } from "./build-cache.js";
export type { CheckFinding, CheckReport } from "./check.js";
export { type Container, neededUppers, uppersOf } from "./container-record.js";
export { type ContainerPaths, ContainerStore, type NewContainer } from "./containers.js";
export { replaceFile, syncDirectory } from "./durable.js";
export {
  type CollectOptions,
  type GarbageItem,
  type GarbageReport,
  type Needed,
  neededBy,
} from "./garbage.js";
export type { ImageRecord, StoredImage } from "./images.js";
export { copyRoot } from "./implied-directory.js";
export type { IncomingBlobs } from "./incoming-blobs.js";
export type { LayerBatch } from "./layer-batch.js";
export type { LayerFormat } from "./layer-format.js";
export { type FinishedTree, type LayerInfo, type LayerRequest, LayerStore } from "./layers.js";
export { type HeldLock, LockFile, type LockMode, type LockOptions } from "./lock-file.js";
export type { MountState } from "./mount-state.js";
export { namesIn } from "./names-in.js";
export { PackedBlobs } from "./packed-blobs.js";
export { type ReferenceEntry, ReferenceStore } from "./references.js";
export { removeDirectory as removeStoreDirectory } from "./remove-directory.js";
export type { RepairedItem } from "./repair.js";
export { defaultRoot } from "./root.js";
export { ScratchDirectory } from "./scratch-directory.js";
export { isInUse } from "./scratch-name.js";
export { Store, type StoreOptions } from "./store.js";
export type { UnpackImageOptions } from "./unpack-image.js";
export { type UpperArchive, type UpperPaths, UpperStore } from "./uppers.js";
export { type Volume, VolumeStore } from "./volumes.js";
