// Closing removed files. The last close of a file without names frees its inode and its blocks, which takes
// longer than all else about its removal. Threads of the kernel do it, while the next request is served. Not at
// once: who removes a directory waits, and uses a processor for that, for each close under way of a file that was
// in it (shrink_dcache_parent), but not for those that have yet to begin.

import { availableParallelism } from "node:os";
import { isFsError } from "../errors.js";
import { AsyncRing, close, isDirectory, statFd, statfsFd } from "../sys/index.js";

/** Before so many it is not worth a thread. */
const FIRST_ONES = 16;
/** So many are handed in at once: while more are freed, who removes the next waits for the file system's locks… */
const BATCH = 8;
/** …and so many, the last ones, not yet: of directories that are about to go. */
const LAST_ONES = 64;
/** So many files and no directory among them: none is about to go, and each file is handed in by itself. */
const LARGE_DIRECTORY = 128;
/** So many files until the disk is asked for its room again. */
const LOOK_EVERY = 32;
/** File systems free one inode after the other: more threads only wait for each other. */
const THREADS = 2;
/** At once, at most, and of this size: who needs the room that was freed finds it freed. */
const MAX_UNDER_WAY = 64;
const MAX_BYTES = 65_536;
const BLOCK_BYTES = 512;
/** With less of these on the disk nobody waits. */
const ENOUGH_BYTES = 64n << 20n;
const ENOUGH_INODES = 1000n;

/** Of one upper. */
export class Closer {
  /** Undefined before it is worth it; "none" where the kernel has no such threads for us. */
  #ring: AsyncRing | "none" | undefined;
  #closed = 0;
  readonly #waiting: number[] = [];
  #filesInARow = 0;
  #isRoomy = true;
  /** So many files until the disk is asked again. */
  #untilLook = 0;

  /** The descriptor of a file that is to go. Throws FsError. */
  close(fd: number): void {
    const ring = this.#ringInUse();
    if (ring === undefined || !this.#isSmall(fd) || !this.#hasRoom(fd)) {
      close(fd);
      return;
    }
    this.#waiting.push(fd);
    const isLarge = this.#filesInARow > LARGE_DIRECTORY;
    const [kept, batch] = isLarge ? [0, 1] : [LAST_ONES, BATCH];
    const excess = this.#waiting.length - kept;
    if (excess >= batch) this.#handIn(ring, excess);
  }

  #isSmall(fd: number): boolean {
    const { sizeBytes, blocks, mode } = statFd(fd);
    this.#filesInARow = isDirectory(mode) ? 0 : this.#filesInARow + 1;
    return sizeBytes <= MAX_BYTES && blocks * BLOCK_BYTES <= 2 * MAX_BYTES;
  }

  /** Who writes to a full disk must find the room of what was just removed. */
  #hasRoom(fd: number): boolean {
    this.#untilLook -= 1;
    if (this.#untilLook >= 0) return this.#isRoomy;
    this.#untilLook = LOOK_EVERY;
    this.#isRoomy = isRoomy(fd);
    if (!this.#isRoomy) for (const waiting of this.#waiting.splice(0)) close(waiting);
    return this.#isRoomy;
  }

  /** Some wait until there are more of them. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Nobody removes anything now: those that wait need not wait for others. Throws FsError. */
  catchUp(): void {
    const ring = this.#ring;
    if (ring !== undefined && ring !== "none") this.#handIn(ring, this.#waiting.length);
  }

  /** The oldest first. */
  #handIn(ring: AsyncRing, count: number): void {
    ring.settle(() => undefined);
    for (const fd of this.#waiting.splice(0, count)) {
      if (ring.underWay >= MAX_UNDER_WAY || !ring.tryClose(fd, 0)) close(fd);
    }
    ring.submit();
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
    if (ring === undefined || ring === "none") {
      this.#ring = "none";
      return;
    }
    try {
      this.catchUp();
      ring.finish();
    } finally {
      this.#ring = "none";
      ring.close();
    }
  }
}

function openRing(): AsyncRing | "none" {
  if (availableParallelism() < 2) return "none";
  try {
    return new AsyncRing(THREADS);
  } catch (error) {
    if (!isFsError(error)) throw error;
    return "none";
  }
}

function isRoomy(fd: number): boolean {
  const { bavail, frsize, files, ffree } = statfsFd(fd);
  // Some file systems have no limit of inodes, and say 0.
  return bavail * BigInt(frsize) >= ENOUGH_BYTES && (files === 0n || ffree >= ENOUGH_INODES);
}
