// Names in tmp/: kind, process, random digits. Garbage collection leaves what a living process made:
// small files are written there by who holds no lock of the whole store (a rename of a tag).

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { startTicks } from "./process-identity.js";

let ownTicks: string | undefined;

/** A fresh path below `tmp`; nothing is made there. `kind` tells a reader of the directory what it was. */
export function scratchPath(tmp: string, kind: string): string {
  ownTicks ??= startTicks(process.pid) ?? "0";
  return join(tmp, `${kind}-${process.pid}-${ownTicks}-${randomBytes(8).toString("hex")}`);
}

/** True when the process that made this name in tmp/ still lives. */
export function isInUse(name: string): boolean {
  const [, pid, ticks] = /^[a-z]+-(\d+)-(\d+)-[0-9a-f]{16}$/.exec(name) ?? [];
  return pid !== undefined && startTicks(Number(pid)) === ticks;
}
