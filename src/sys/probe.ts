// What this machine and this user can do, asked once a thread. Only facts; what follows from them
// is decided by the callers.

import { constants } from "node:fs";
import { release } from "node:os";
import { isFsError } from "../errors.js";
import { bytesOf } from "../path.js";
import {
  CAP_MKNOD,
  CAP_SYS_ADMIN,
  hasCapability,
  inInitialUserNamespace,
  isRoot,
} from "./credentials.js";
import { openTreeReadOnly } from "./mount.js";
import { close } from "./open.js";
import { accessible, onPath } from "./programs.js";

export interface Features {
  /** Effective user 0, in whatever namespace. */
  readonly root: boolean;
  /** CAP_SYS_ADMIN in the own user namespace: mount(2) works. */
  readonly mount: boolean;
  /** /dev/fuse may be opened; fusermount3 opens it with the rights of its caller, too. */
  readonly fuseDevice: boolean;
  /** Where fusermount3 is, if it is on the PATH. */
  readonly fusermount3: string | undefined;
  /** FUSE passthrough: Linux 6.9 and CAP_SYS_ADMIN in the initial user namespace. */
  readonly passthrough: boolean;
  /** openTreeReadOnly works (but on directories with mounts below them, in a user namespace). */
  readonly openTree: boolean;
  /** trusted.* attributes can be read and set. */
  readonly trustedXattr: boolean;
  /** Device nodes other than a whiteout can be made. */
  readonly mknodDevices: boolean;
  /** Character devices 0:0 (overlay whiteouts) can be made: by anybody since Linux 5.8. */
  readonly mknodWhiteouts: boolean;
  /** Major and minor number of the running kernel. */
  readonly kernel: readonly [major: number, minor: number];
}

let known: Features | undefined;

/** The features, found out at the first call. */
export function features(): Features {
  known ??= probe();
  return known;
}

function probe(): Features {
  const initial = inInitialUserNamespace();
  const admin = hasCapability(CAP_SYS_ADMIN);
  const kernel = kernelVersion(release());
  const mknodDevices = initial && hasCapability(CAP_MKNOD);
  return {
    root: isRoot(),
    mount: admin,
    fuseDevice: accessible("/dev/fuse", constants.R_OK | constants.W_OK),
    fusermount3: onPath("fusermount3"),
    passthrough: initial && admin && atLeast(kernel, 6, 9),
    openTree: admin && canOpenTree(),
    trustedXattr: initial && admin,
    mknodDevices,
    mknodWhiteouts: mknodDevices || atLeast(kernel, 5, 8),
    kernel,
  };
}

/** "6.18.44-custom" → [6, 18]; what has no numbers counts as oldest. */
export function kernelVersion(text: string): readonly [number, number] {
  const [, major = "0", minor = "0"] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major), Number(minor)];
}

function atLeast(kernel: readonly [number, number], major: number, minor: number): boolean {
  return kernel[0] > major || (kernel[0] === major && kernel[1] >= minor);
}

/**
 * Tried, not derived: seccomp filters of containers refuse it to some who have the capability. On
 * a file, because in a user namespace a directory with mounts below it is refused (EINVAL).
 */
function canOpenTree(): boolean {
  try {
    close(openTreeReadOnly(bytesOf("/dev/null")));
    return true;
  } catch (error) {
    if (isFsError(error)) return false;
    throw error;
  }
}
