// Looking ahead of a walk. Who lists a directory of a layer mostly wants the directories in it next,
// and on a cold disk each costs two reads that nobody has begun: its inode, and the block of its names.
// So threads of the kernel look a name up in each of them meanwhile. Nothing depends on what they find:
// the walk finds in memory what it would have waited for.

import { performance } from "node:perf_hooks";
import { isFsError } from "../errors.js";
import type { ByteString } from "../path.js";
import { AsyncRing, close, type Dirent, DT_DIR, dup, tryStatAt } from "../sys/index.js";
import { OPAQUE_NAME } from "./whiteout.js";

/** In memory a lookup takes a twentieth of it, from a fast disk twice as long. */
const COLD_MS = 0.04;
/** So long one lookup stands for those after it, of directories… */
const DIRECTORIES_HOLD_MS = 5;
/** …and of files: their inodes lie beside each other, and may be in memory already. */
const FILES_HOLD_MS = 1000;
/** Each keeps a descriptor open. */
const MAX_LISTINGS = 128;
/** File systems read so many inodes at once, at least. */
const INODES_AT_ONCE = 32n;
/** Remembered groups of inodes that were asked for. */
const GROUPS = 4096;

/** A directory in which names are looked up. */
interface Listing {
  readonly fd: number;
  underWay: number;
}

/** For all layers of a mount that never change. */
export class LookAhead {
  /** Undefined before it is needed; "none" where the kernel has none for us. */
  #ring: AsyncRing | "none" | undefined;
  readonly #listings = new Map<number, Listing>();
  #tickets = 0;
  readonly #coldMs: number;
  #isCold = false;
  #answeredMs = Number.NEGATIVE_INFINITY;
  readonly #groups = new BigInt64Array(GROUPS);

  /** `coldMs`: a lookup that takes longer has asked the disk. */
  constructor(coldMs = COLD_MS) {
    this.#coldMs = coldMs;
  }

  get hasBegun(): boolean {
    return this.#ring instanceof AsyncRing;
  }

  /** Lookups that are not over. */
  get underWay(): number {
    this.#settle();
    return this.#ring instanceof AsyncRing ? this.#ring.underWay : 0;
  }

  /** The directory `fd` was listed, and has these names. */
  listed(fd: number, dirents: readonly Dirent[]): void {
    if (this.#ring === "none" || dirents.length === 0) return;
    this.#settle();
    if (this.#listings.size < MAX_LISTINGS && this.#isColdBelow(fd, dirents)) {
      this.#begin(fd, dirents);
    }
  }

  /** Whether what the names lead to has to be read from a disk: one is looked up, the others follow it. */
  #isColdBelow(fd: number, dirents: readonly Dirent[]): boolean {
    const now = performance.now();
    const ageMs = now - this.#answeredMs;
    if (ageMs < DIRECTORIES_HOLD_MS) return this.#isCold;
    const directory = dirents.find(({ type }) => type === DT_DIR);
    if (directory === undefined) return this.#isCold && ageMs < FILES_HOLD_MS;
    try {
      tryStatAt(fd, nameWithin(directory));
    } catch (error) {
      // Whoever wants that directory will be told.
      if (!isFsError(error)) throw error;
    }
    this.#answeredMs = performance.now();
    this.#isCold = this.#answeredMs - now > this.#coldMs;
    return this.#isCold;
  }

  #begin(fd: number, dirents: readonly Dirent[]): void {
    const ring = this.#open();
    const own = ring === undefined ? undefined : tryDup(fd);
    if (ring === undefined || own === undefined) return;
    this.#tickets = (this.#tickets + 1) | 0;
    const listing = { fd: own, underWay: 0 };
    this.#listings.set(this.#tickets, listing);
    for (const dirent of dirents) {
      const isDirectory = dirent.type === DT_DIR;
      const isNew = this.#noteGroup(dirent.ino);
      if (!isDirectory && !isNew) continue;
      const path = isDirectory ? nameWithin(dirent) : dirent.name;
      if (!ring.tryLookup(own, path, this.#tickets)) break;
      listing.underWay += 1;
    }
    if (listing.underWay === 0) this.#letGo(this.#tickets, listing);
    ring.submit();
  }

  #letGo(ticket: number, { fd }: Listing): void {
    close(fd);
    this.#listings.delete(ticket);
  }

  /** False for an inode that was read together with another. */
  #noteGroup(ino: bigint): boolean {
    const group = ino / INODES_AT_ONCE;
    const at = Number(group % BigInt(GROUPS));
    if (this.#groups[at] === group) return false;
    this.#groups[at] = group;
    return true;
  }

  #open(): AsyncRing | undefined {
    try {
      this.#ring ??= new AsyncRing();
    } catch (error) {
      // Forbidden, or the kernel is too old: the walk waits for the disk itself.
      if (!isFsError(error)) throw error;
      this.#ring = "none";
    }
    return this.#ring === "none" ? undefined : this.#ring;
  }

  /** Lets go of the directories that are done with. */
  #settle(): void {
    if (!(this.#ring instanceof AsyncRing) || this.#listings.size === 0) return;
    this.#ring.settle((ticket) => {
      const listing = this.#listings.get(ticket);
      if (listing === undefined) return;
      listing.underWay -= 1;
      if (listing.underWay === 0) this.#letGo(ticket, listing);
    });
  }

  /** What is under way ends by itself, and nothing begins any more. */
  close(): void {
    if (this.#ring instanceof AsyncRing) this.#ring.close();
    this.#ring = "none";
    for (const [ticket, listing] of this.#listings) this.#letGo(ticket, listing);
  }
}

/** A name that hardly any directory has: looking for it reads a block of names. */
function nameWithin({ name }: Dirent): ByteString {
  return `${name}/${OPAQUE_NAME}` as ByteString;
}

/** undefined where the process has no room for it. */
function tryDup(fd: number): number | undefined {
  try {
    return dup(fd);
  } catch (error) {
    if (!isFsError(error)) throw error;
    return undefined;
  }
}
