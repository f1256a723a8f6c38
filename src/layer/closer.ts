// Closing removed files. The last close of a file without names frees its inode and its blocks, which takes
// longer than all else about its removal. Threads of the kernel do it, while the next request is served.

import { availableParallelism } from "node:os";
import { isFsError } from "../errors.js";
import { AsyncRing, close, statFd } from "../sys/index.js";

/** Before so many it is not worth a thread. */
const FIRST_ONES = 16;
/** At once, at most, and of this size: who needs the room that was freed finds it freed. */
const MAX_UNDER_WAY = 64;
const MAX_BYTES = 65_536;
const BLOCK_BYTES = 512;

/** Of one upper. */
export class Closer {
  /** Undefined before it is worth it; "none" where the kernel has no such threads for us. */
  #ring: AsyncRing | "none" | undefined;
  #closed = 0;

  /** The descriptor of a file that is to go. Throws FsError. */
  close(fd: number): void {
    const ring = this.#ringInUse();
    if (ring === undefined || !isSmall(fd)) {
      close(fd);
      return;
    }
    ring.settle(() => undefined);
    if (ring.underWay < MAX_UNDER_WAY && ring.tryClose(fd, 0)) ring.submit();
    else close(fd);
  }

  #ringInUse(): AsyncRing | undefined {
    if (this.#ring === undefined) {
      this.#closed += 1;
      if (this.#closed <= FIRST_ONES) return undefined;
      this.#ring = openRing();
    }
    return this.#ring === "none" ? undefined : this.#ring;
  }

  /** Waits until all are closed; those that come later are closed at once. Throws FsError. */
  finish(): void {
    const ring = this.#ring;
    this.#ring = "none";
    if (ring === undefined || ring === "none") return;
    try {
      ring.finish();
    } finally {
      ring.close();
    }
  }
}

function openRing(): AsyncRing | "none" {
  if (availableParallelism() < 2) return "none";
  try {
    return new AsyncRing();
  } catch (error) {
    if (!isFsError(error)) throw error;
    return "none";
  }
}

function isSmall(fd: number): boolean {
  const { sizeBytes, blocks } = statFd(fd);
  return sizeBytes <= MAX_BYTES && blocks * BLOCK_BYTES <= 2 * MAX_BYTES;
}
