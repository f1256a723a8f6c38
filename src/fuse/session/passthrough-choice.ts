// Which files passthrough is asked for. What it costs: an open file is tied to its backing file for
// good, so who has a lower file open by it doesn't see what is written after copy-up.

import type { Node } from "../../overlay/index.js";
import { S_ISGID, S_ISUID, type Stat } from "../../sys/index.js";
import type { FuseSession } from "./fuse-session.js";

/** Of which files of lower layers: "all" large ones, "code" alone; "off": of no files at all. */
export type PassthroughUse = "all" | "code" | "off";

const EXECUTE_BITS = 0o111;
const SHARED_OBJECT = /\.so(\.\d.*)?$/s;

/** True where an inode's first open is to be served by passthrough. */
export function wantsPassthrough(
  session: FuseSession,
  node: Node,
  writes: boolean,
  stat: Stat = session.overlay.stat(node),
): boolean {
  const { overlay, options } = session;
  // What is written past us moves when the upper is frozen, which takes all names of it.
  if (stat.nlink > 1 && (writes || overlay.isUpper(node))) return false;
  // The kernel tells nobody of a write past us, which must take these bits away, nor knows what may
  // only be appended to.
  if (writes) return (stat.mode & (S_ISUID | S_ISGID)) === 0 && !overlay.isAppendOnly(node);
  // A small file gains little: no open below, no ioctl.
  if (stat.sizeBytes <= options.smallFileBytes) return false;
  return options.passthrough === "all" || isCode(node, stat) || overlay.dataPlace(node) === "upper";
}

/**
 * Programs and shared objects: their pages are worth sharing among all containers of an image, and
 * nobody who means well writes to them in place (ETXTBSY, crashes). Whoever executes needs an x bit,
 * so every open for exec is among these.
 */
function isCode(node: Node, stat: Stat): boolean {
  return (stat.mode & EXECUTE_BITS) !== 0 || SHARED_OBJECT.test(node.name);
}
