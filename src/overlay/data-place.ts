// Where the data of a regular file are: in its layer, below an upper file of metadata only, or in
// both (partial-file.ts). One function opens them all.

import type { LayerFile, OwnBlocks } from "../layer/index.js";
import { O_ACCMODE, O_APPEND, O_RDONLY, O_RDWR } from "../sys/index.js";
import { layerOf } from "./layer-of.js";
import type { Node, Part } from "./node.js";
import { PartialFile } from "./partial-file.js";
import type { Union } from "./union.js";

/** "upper": all of them, and nothing else is ever read. "both": some blocks of a partial file. */
export type DataPlace = "lower" | "upper" | "both";

/** Where the data of a file are now. */
export function dataPlace(union: Union, node: Node): DataPlace {
  if (!union.isUpper(node)) return "lower";
  if (node.data === undefined) return "upper";
  const blocks = ownBlocks(union, node);
  if (blocks === undefined) return "lower";
  return blocks.isComplete ? "upper" : "both";
}

/** The own blocks of a partial file of the upper; undefined for every other file. */
export function ownBlocks(union: Union, node: Node): OwnBlocks | undefined {
  // A lower file may have its data further below, too, and a frozen one be partial.
  if (node.data === undefined || !union.isUpper(node)) return undefined;
  return union.upper?.ownBlocks(node.inode);
}

/** Before a file is truncated to `sizeBytes` by its name: PartialFile.ownEnd. Throws FsError. */
export function ownEnd(union: Union, node: Node, sizeBytes: number): void {
  if (ownBlocks(union, node)?.zeroesEnds !== true) return;
  const file = openData(union, node, O_RDWR);
  try {
    if (file instanceof PartialFile) file.ownEnd(sizeBytes);
  } finally {
    file.close();
  }
}

/** Opens the data of a file, wherever they are. `flags` are O_*, for writing only in the upper. */
export function openData(union: Union, part: Part, flags: number): LayerFile {
  const { data, inode, slot } = part;
  const layer = layerOf(union, part);
  if (data === undefined) return layer.open(inode, flags);
  const blocks = union.levelAt(slot)?.ownBlocks(inode);
  if (blocks === undefined) return openData(union, data, flags);
  const access = (flags & O_ACCMODE) === O_RDONLY ? O_RDONLY : O_RDWR;
  return new PartialFile({
    own: layer.open(inode, (flags & ~(O_ACCMODE | O_APPEND)) | access),
    blocks,
    below: () => openData(union, data, O_RDONLY),
    appends: (flags & O_APPEND) !== 0,
    zeroBlocks: (start, end) => union.writable("fallocate").zeroBlocks(inode, start, end),
  });
}
