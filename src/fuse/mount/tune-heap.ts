// How V8 collects in a process that serves a mount. Set when all is loaded: flags that are there at the
// start make V8 refuse whatever was compiled without them, Node.js's own modules too.

import { setFlagsFromString } from "node:v8";

/** To be called once, when the first request may come. */
export function tuneHeap(): void {
  // All that is made for a new inode lives on: copying it while the young heap is small is in vain. So
  // that grows to its limit at once.
  setFlagsFromString("--semi-space-growth-factor=32");
  // Between two full collections the heap may grow by 30%; what V8 permits is several times as much.
  setFlagsFromString("--heap-growing-percent=30");
}
