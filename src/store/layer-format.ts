// How layers and uppers of a store are written on this machine: which overlay attributes mark
// whiteouts, and whether owners and devices are real or recorded in an attribute.

import { readFileSync } from "node:fs";
import { keptXattrPrefix, type XattrPrefix } from "../layer/index.js";
import { features, isUsersRoot } from "../sys/index.js";

/** To be passed to who unpacks or opens a layer or upper (see layer/). */
export interface LayerFormat {
  /** "trusted.overlay.*" needs CAP_SYS_ADMIN in the initial user namespace. */
  readonly xattrPrefix: XattrPrefix;
  /** "override": chown and mknod are recorded in user.containers.override_stat. */
  readonly ownership: "native" | "override";
}

/** Fewer user ids than this cannot hold an ordinary image. */
const ENOUGH_IDS = 65_536;

/** What this process may write below `directory`, and the file system there keeps. Throws FsError. */
export function ownFormat(directory: string): LayerFormat {
  const { root, trustedXattr } = features();
  const xattrPrefix = keptXattrPrefix(directory, trustedXattr ? "trusted" : "user");
  if (trustedXattr) return { xattrPrefix, ownership: "native" };
  return {
    xattrPrefix,
    ownership: root && !isUsersRoot() && mappedIds() >= ENOUGH_IDS ? "native" : "override",
  };
}

/** How many user ids this user namespace has (user_namespaces(7), uid_map: inside, outside, count). */
function mappedIds(): number {
  return readFileSync("/proc/self/uid_map", "latin1")
    .split("\n")
    .map((line) => Number(line.trim().split(/\s+/)[2] ?? 0))
    .reduce((sum, count) => sum + count, 0);
}
