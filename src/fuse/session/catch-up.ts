// What is left to be done of removed files (layer/closer.ts), once nobody removes any more.

import type { Overlay } from "../../overlay/index.js";
import type { Log } from "./log.js";

/** Who removes a tree asks again within that, but on a loaded machine. */
export const CATCH_UP_MS = 2;

/** After so long without a request, where the overlay is behind. Never throws. */
export function catchUp(overlay: Pick<Overlay, "catchUp">, log: Log): void {
  try {
    overlay.catchUp();
  } catch (error) {
    log.failure("close removed files", error);
  }
}
