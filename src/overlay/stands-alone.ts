// What an upper holds, looked at as a whole: whether there is anything in it, and whether its tree alone says what its
// changes say: no directory that was moved, no file whose data lie below, no copy that is in the index only.

import { DT_DIR, DT_REG, DT_SOCK } from "../sys/index.js";
import { layerOf } from "./layer-of.js";
import type { Union } from "./union.js";

/** Nothing lies in the upper, and no copy beside it; its root may differ. */
export function isUpperEmpty(union: Union): boolean {
  const { upper } = union;
  if (upper === undefined) return true;
  return upper.readdir(upper.root).length === 0 && upper.indexKeys().length === 0;
}

/** True where the upper, as a mere directory on the same stack, is the layer that its archive gives. */
export function standsAlone(union: Union): boolean {
  const { upper } = union;
  if (upper === undefined || upper.indexKeys().length > 0) return false;
  const layer = layerOf(union, union.nodes.root);
  const waiting = [upper.root];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { name, type, whiteout } of layer.readdir(directory)) {
      // No archive has sockets.
      if (type === DT_SOCK) return false;
      if (whiteout || (type !== DT_DIR && type !== DT_REG)) continue;
      const node = layer.lookup(directory, name);
      if (node === undefined || typeof node === "symbol") continue;
      const { redirect, metacopy, protection } = layer.marks(node);
      if (redirect !== undefined || metacopy || protection !== 0) return false;
      if (type === DT_DIR) waiting.push(node);
    }
  }
  return true;
}
