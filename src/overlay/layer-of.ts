// From a part of a node to the layer it lies in.

import { errno, FsError } from "../errors.js";
import type { Layer } from "../layer/index.js";
import type { Union } from "./union.js";

/** The layer that a node's topmost part lies in. */
export function layerOf(union: Union, node: { readonly slot: number }): Layer {
  const layer = union.layers[node.slot];
  if (layer === undefined) throw new FsError(errno.EIO, "find the layer of", String(node.slot));
  return layer;
}
