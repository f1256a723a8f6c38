// What is left to be done of removed files (layer/closer.ts), once nobody removes any more.

import type { Overlay } from "../../overlay/index.js";
import type { Log } from "./log.js";

/** Who removes a tree asks again within that, but on a loaded machine. */
const PAUSE_MS = 2;

/** Catches up, unless somebody asks for something before; true then. `waits` waits for that. Never throws. */
export function isCalledBeforeCaughtUp(
  { overlay, log }: { readonly overlay: Overlay; readonly log: Log },
  waits: (milliseconds: number) => boolean,
): boolean {
  if (!overlay.isBehind) return false;
  if (waits(PAUSE_MS)) return true;
  try {
    overlay.catchUp();
  } catch (error) {
    log.failure("close removed files", error);
  }
  return false;
}
