// The door of overlay/: what the rooms above may use. No code of its own.

export type { DataPlace } from "./data-place.js";
export type { Filled, Filling } from "./filling.js";
export { Handle } from "./handle.js";
export type { IdMapOptions, IdRange } from "./id-map.js";
export type { MergedTreeNode } from "./merged-tree.js";
export { Node } from "./node.js";
export { Overlay } from "./overlay.js";
export type { OverlayOptions } from "./overlay-options.js";
export { DirectoryEntry, DirectoryHandle } from "./readdir.js";
export type { BeforeStep, Step } from "./step.js";
export type { ViewOptions } from "./view.js";
