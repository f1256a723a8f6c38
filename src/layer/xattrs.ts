// Extended attributes of an inode as one map.

import type { ByteString } from "../path.js";
import type { Layer, LayerNode } from "./layer.js";

/** All of them, but for the overlay's private ones. Throws FsError. */
export function xattrsOf(
  layer: Pick<Layer, "listxattr" | "getxattr">,
  part: { readonly inode: LayerNode },
): Map<ByteString, Uint8Array> {
  const xattrs = new Map<ByteString, Uint8Array>();
  for (const name of layer.listxattr(part.inode)) {
    const value = layer.getxattr(part.inode, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return xattrs;
}
