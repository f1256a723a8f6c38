// The root of a new upper, as the store makes it for a container: it covers the roots below it
// from the start, so it must look like them.

import type { Layer, UpperLayer } from "../../src/layer/index.js";

/**
 * Gives the root of an empty upper the attributes of the stack's merged root (owner, mode, times,
 * extended attributes). To be called once, when the upper is made. `stack` is topmost first.
 */
export function seedRoot(upper: UpperLayer, stack: readonly Layer[]): void {
  const [top] = stack;
  if (top === undefined) return;
  const { stat } = top.root;
  for (const name of top.listxattr(top.root)) {
    const value = top.getxattr(top.root, name);
    if (value !== undefined) upper.setxattr(upper.root, name, value, 0);
  }
  upper.setattr(upper.root, { uid: stat.uid, gid: stat.gid });
  upper.setattr(upper.root, {
    mode: stat.mode & 0o7777,
    atime: { sec: stat.atimeSec, nsec: stat.atimeNsec },
    mtime: { sec: stat.mtimeSec, nsec: stat.mtimeNsec },
  });
}
