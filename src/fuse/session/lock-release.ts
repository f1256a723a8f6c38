// Looking whether a lock is free: what ends a pause when whoever asked for it is gone.

import { isFsError } from "../../errors.js";
import { bytesOf } from "../../path.js";
import { AT_FDCWD, close, flock, O_RDONLY, openAt } from "../../sys/index.js";

/** True when the lock's holder has let go of it, or its file is no more. */
export function isLockReleased(path: string): boolean {
  try {
    const fd = openAt(AT_FDCWD, bytesOf(path), O_RDONLY);
    try {
      return flock(fd, "shared", { wait: false });
    } finally {
      close(fd);
    }
  } catch (error) {
    if (isFsError(error)) return true;
    throw error;
  }
}
