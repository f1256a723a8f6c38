// Looking ahead of a walk. Who lists a directory of a layer mostly wants the directories in it next,
// and on a cold disk each costs two reads that nobody has begun: its inode, and the block of its names.
// So threads of the kernel look a name up in each of them meanwhile. Nothing depends on what they find:
// the walk finds in memory what it would have waited for. Not all of them at once: what a merged
// directory is made of would wait in line behind a thousand others of its first layer.

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
/** So many directories are looked into at once: who lists one of them has the others soon, too… */
const DIRECTORIES_AT_ONCE = 128;
/** …and so many follow at least: handing them to the kernel is a call. */
const LEAST_AT_ONCE = 32;
/** The directories of so many listings take turns, the newest first: those of a merged directory are one of each layer. */
const LISTINGS_IN_TURN = 16;
/** Who has listed nothing for so long does not walk on. */
const WALK_HOLDS_MS = 1000;
/** File systems read so many inodes at once, at least. */
const INODES_AT_ONCE = 32n;
/** Remembered groups of inodes that were asked for. */
const GROUPS = 4096;

/** A directory in which names are looked up. */
interface Listing {
  readonly ticket: number;
  readonly fd: number;
  underWay: number;
  /** Those that nobody looked into yet, from `next` on. */
  readonly directories: readonly Dirent[];
  next: number;
}

/** For all layers of a mount that never change. */
export class LookAhead {
  /** Undefined before it is needed; "none" where the kernel has none for us. */
  #ring: AsyncRing | "none" | undefined;
  readonly #listings = new Map<number, Listing>();
  /** Those of them with directories that wait, the newest last. */
  readonly #waiting: Listing[] = [];
  #lookedInto = 0;
  #listedMs = Number.NEGATIVE_INFINITY;
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

  /** Directories that were looked into, or are. */
  get lookedInto(): number {
    return this.#lookedInto;
  }

  /** Lookups that are not over; those that waited for them begin. */
  get underWay(): number {
    this.#settle();
    this.#feed();
    return this.#ring instanceof AsyncRing ? this.#ring.underWay : 0;
  }

  /** The directory `fd` was listed, and has these names. */
  listed(fd: number, dirents: readonly Dirent[]): void {
    if (this.#ring === "none" || dirents.length === 0) return;
    this.#settle();
    const now = performance.now();
    if (now - this.#listedMs > WALK_HOLDS_MS) this.#giveUpWaiting();
    this.#listedMs = now;
    if (this.#listings.size < MAX_LISTINGS && this.#isColdBelow(fd, dirents, now)) {
      this.#begin(fd, dirents);
    }
    this.#feed();
  }

  /** Whether what the names lead to has to be read from a disk: one is looked up, the others follow it. */
  #isColdBelow(fd: number, dirents: readonly Dirent[], now: number): boolean {
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

  /** Files are looked up at once, directories in their turn. */
  #begin(fd: number, dirents: readonly Dirent[]): void {
    const ring = this.#open();
    const own = ring === undefined ? undefined : tryDup(fd);
    if (ring === undefined || own === undefined) return;
    this.#tickets = (this.#tickets + 1) | 0;
    const directories = dirents.filter(({ type }) => type === DT_DIR);
    const listing = { ticket: this.#tickets, fd: own, underWay: 0, directories, next: 0 };
    this.#listings.set(listing.ticket, listing);
    for (const { name, type, ino } of dirents) {
      if (!this.#noteGroup(ino) || type === DT_DIR) continue;
      if (!this.#lookUp(ring, listing, name)) break;
    }
    ring.submit();
    if (directories.length > 0) this.#waiting.push(listing);
    else if (listing.underWay === 0) this.#letGo(listing);
  }

  #lookUp(ring: AsyncRing, listing: Listing, path: ByteString): boolean {
    if (!ring.tryLookup(listing.fd, path, listing.ticket)) return false;
    listing.underWay += 1;
    return true;
  }

  /** Begins with directories that wait, as many as there is room for. */
  #feed(): void {
    const ring = this.#ring;
    if (!(ring instanceof AsyncRing) || this.#waiting.length === 0) return;
    let room = DIRECTORIES_AT_ONCE - ring.underWay;
    if (room < LEAST_AT_ONCE) return;
    const each = Math.ceil(room / Math.min(this.#waiting.length, LISTINGS_IN_TURN));
    for (let at = this.#waiting.length - 1; at >= 0 && room > 0; at--) {
      const listing = this.#waiting[at];
      if (listing === undefined) break;
      room -= this.#lookInto(ring, listing, Math.min(each, room));
      if (listing.next < listing.directories.length) continue;
      this.#waiting.splice(at, 1);
      if (listing.underWay === 0) this.#letGo(listing);
    }
    ring.submit();
  }

  /** Looks into the next directories of a listing, `most` at most; gives how many. */
  #lookInto(ring: AsyncRing, listing: Listing, most: number): number {
    const end = Math.min(listing.next + most, listing.directories.length);
    const first = listing.next;
    for (; listing.next < end; listing.next++) {
      const directory = listing.directories[listing.next];
      if (directory !== undefined) this.#lookUp(ring, listing, nameWithin(directory));
    }
    this.#lookedInto += end - first;
    return end - first;
  }

  #giveUpWaiting(): void {
    for (const listing of this.#waiting.splice(0)) {
      listing.next = listing.directories.length;
      if (listing.underWay === 0) this.#letGo(listing);
    }
  }

  #letGo({ ticket, fd }: Listing): void {
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
      const isDone = listing.next === listing.directories.length;
      if (isDone && listing.underWay === 0) this.#letGo(listing);
    });
  }

  /** What is under way ends by itself, and nothing begins any more. */
  close(): void {
    if (this.#ring instanceof AsyncRing) this.#ring.close();
    this.#ring = "none";
    this.#waiting.length = 0;
    for (const listing of this.#listings.values()) this.#letGo(listing);
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
