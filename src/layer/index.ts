// The door of layer/: what the rooms above may use. No code of its own.

export {
  type Applied,
  type ApplyOptions,
  type ApplyTarget,
  applyTar,
  applyTarOnto,
} from "./apply.js";
export {
  type Attributes,
  AttributeWriter,
  type Ownership,
  type SkippedXattr,
} from "./attributes.js";
export { checkLayerIndex, type IndexState } from "./check-layer-index.js";
export { clampDiff } from "./clamp-diff.js";
export { type ChangeKind, type CompareOptions, changeKinds, compareTrees } from "./compare.js";
export { type CopyIntoOptions, type CopyTarget, copyInto } from "./copy-into.js";
export { DescriptorFile } from "./descriptor-file.js";
export type { DiffContent, DiffEntry, DiffFile } from "./diff.js";
export { diffDirectory } from "./diff-layer.js";
export {
  type DirectoryLayerOptions,
  type DirectorySource,
  openDirectoryLayer,
} from "./directory-layer.js";
export { type DirectoryTreeOptions, directoryTree } from "./directory-tree.js";
export { copyExtents, seekOrEnd } from "./file-extents.js";
export { type FoundNode, findInTree } from "./find-in-tree.js";
export { isIndexOf, openIndexedLayer } from "./indexed-layer.js";
export * from "./layer.js";
export { keptXattrPrefix } from "./mark-form.js";
export { type MemoryDisk, type Moment, memoryDisk } from "./memory-inode.js";
export { MemoryLayer } from "./memory-layer.js";
export { type MemoryLayerOptions, MemoryUpper, memoryLayer } from "./memory-upper.js";
export { openDirectoryUpper } from "./open-upper.js";
export * from "./override-stat.js";
export { removeTree } from "./remove-tree.js";
export { sameFile } from "./same-file.js";
export type { FindableNode, TreeNode } from "./tree.js";
export type { DirectoryUpperOptions } from "./upper-options.js";
export * from "./whiteout.js";
export { type WholeTreeOptions, wholeTree } from "./whole-tree.js";
export { type WrittenDiff, writeDiff, writeEntries } from "./write-diff.js";
export { writeLayer } from "./write-layer.js";
export { writeLayerIndex } from "./write-layer-index.js";
