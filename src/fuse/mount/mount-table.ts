// /proc/self/mountinfo: what is mounted where, read without touching any mount.

import { readFileSync } from "node:fs";

/** One line of proc_pid_mountinfo(5). */
export interface MountEntry {
  /** "major:minor" of the file system; for FUSE the minor is the connection's number. */
  readonly device: string;
  readonly target: string;
  readonly type: string;
  readonly source: string;
}

/** The kernel writes space, tab, newline and backslash as \ooo. */
function unescaped(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** All mounts of this process's namespace, in the order they were made. */
export function readMountTable(): MountEntry[] {
  const lines = readFileSync("/proc/self/mountinfo", "latin1").split("\n");
  return lines.flatMap((line) => {
    const fields = line.split(" ");
    const separator = fields.indexOf("-");
    const [, , device, , target] = fields;
    const type = fields[separator + 1];
    const source = fields[separator + 2];
    if (separator < 0 || device === undefined || target === undefined) return [];
    return [
      { device, target: unescaped(target), type: type ?? "", source: unescaped(source ?? "") },
    ];
  });
}

/** The topmost mount on exactly this path. */
export function findMount(target: string): MountEntry | undefined {
  return readMountTable().findLast((entry) => entry.target === target);
}

export const STRATA_SUBTYPE = "strata";
/** The type that our mounts are shown with. */
export const STRATA_MOUNT_TYPE = `fuse.${STRATA_SUBTYPE}`;
