// What statfs(2) says of a tree that cannot change: it is full.

import type { Statfs } from "../sys/index.js";

export const NO_ROOM: Statfs = {
  type: 0,
  bsize: 4096,
  blocks: 0n,
  bfree: 0n,
  bavail: 0n,
  files: 0n,
  ffree: 0n,
  namelen: 255,
  frsize: 4096,
  flags: 0,
};
