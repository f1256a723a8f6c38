// How much a container holds: what was written in it, and the layers below.

import { directoryTree, type TreeNode } from "../layer/index.js";
import { type Container, type Store, uppersOf } from "../store/index.js";
import { isDirectory, isRegular } from "../sys/index.js";

/** Bytes of the files in its uppers; holes are nothing, an inode with several names counts once. Throws FsError. */
export async function writtenSizeBytes(store: Store, container: Container): Promise<number> {
  const places = await Promise.all(uppersOf(container).map((id) => store.uppers.place(id)));
  return places.reduce((sum, { diff }) => sum + treeSizeBytes(diff), 0);
}

/** Bytes of the files in a directory, counted as those. Throws FsError. */
export function treeSizeBytes(path: string): number {
  using tree = directoryTree(path);
  return sizeOf(tree, new Set());
}

function sizeOf(node: TreeNode, counted: Set<string>): number {
  const { mode, sizeBytes, blocks } = node.stat();
  if (isDirectory(mode)) {
    return node.children().reduce((sum, child) => sum + sizeOf(child, counted), 0);
  }
  if (!isRegular(mode)) return 0;
  const key = node.hardlinkKey();
  if (key !== undefined && counted.has(key)) return 0;
  if (key !== undefined) counted.add(key);
  return Math.min(sizeBytes, blocks * 512);
}

/** Bytes of the uncompressed archives of the layers below, as far as they are known. */
export async function imageSizeBytes(store: Store, container: Container): Promise<number> {
  const sizes = await Promise.all(
    container.chain.map((chainId) => store.layers.trySizeBytes(chainId)),
  );
  return sizes.reduce((sum: number, size) => sum + (size ?? 0), 0);
}
