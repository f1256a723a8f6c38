// The index of a layer that never changes: a file beside its tree with all that the disk says of its
// names, so that a mount reads no inode of it before data are asked for. Who writes it is
// write-layer-index.ts. It is a cache: one that is damaged, foreign or old is as none.

import { readFileSync } from "node:fs";
import { LRUCache } from "lru-cache";
import { errno, isFsError } from "../errors.js";
import { bytesOf } from "../path.js";
import {
  AT_FDCWD,
  Descriptor,
  features,
  O_NOFOLLOW,
  O_RDONLY,
  openAt,
  preadFull,
  type Stat,
  statFd,
  willNeed,
} from "../sys/index.js";
import { IndexListing } from "./index-listing.js";
import {
  BLOCK_UNIT_BYTES,
  type BlockPlace,
  checksumOf,
  HEADER,
  MAGIC,
  VERSION,
} from "./layer-index-format.js";

/** Listings kept in memory, a layer; the kernel keeps the file's pages. */
const KEPT_LISTINGS = 32;
/** Asked for ahead: less than a disk reads in the time that it takes to find the place. */
const READ_AHEAD_BYTES = 4 << 20;

/** An open index that is of this very tree. Close it. */
export class LayerIndex implements Disposable {
  /** Names in the layer. */
  readonly entries: number;
  /** Has the root alone, as entry 0. */
  readonly top: IndexListing;
  readonly #file: Descriptor;
  readonly #kept = new LRUCache<number, IndexListing>({ max: KEPT_LISTINGS });
  #lastOffset = -1;
  #last: IndexListing | undefined;

  private constructor(file: Descriptor, entries: number, top: IndexListing) {
    this.#file = file;
    this.entries = entries;
    this.top = top;
  }

  /**
   * The index in the file `path` (text), if it was made of the tree whose root has these attributes.
   * undefined when it is not, or is damaged, or can't be read.
   */
  static open(path: string, root: Stat): LayerIndex | undefined {
    let file: Descriptor;
    try {
      file = new Descriptor(openAt(AT_FDCWD, bytesOf(path), O_RDONLY | O_NOFOLLOW));
    } catch (error) {
      if (!isFsError(error)) throw error;
      return undefined;
    }
    const index = LayerIndex.#from(file);
    if (index !== undefined && isSameRoot(index.top.stat(0, root.dev), root)) return index;
    file.close();
    return undefined;
  }

  static #from(file: Descriptor): LayerIndex | undefined {
    const header = readAt(file.fd, { offset: 0, lengthBytes: HEADER.WORDS * 4 });
    if (header === undefined) return undefined;
    const words = new Uint32Array(header.buffer, header.byteOffset, HEADER.WORDS);
    const word = (at: number): number => words[at] ?? 0;
    if (word(HEADER.magic) !== MAGIC || word(HEADER.version) !== VERSION) return undefined;
    if (word(HEADER.checksum) !== checksumOf(words, HEADER.checksum + 1)) return undefined;
    if (word(HEADER.viewer) !== viewerMark()) return undefined;
    if (statFd(file.fd).sizeBytes !== word(HEADER.fileUnits) * BLOCK_UNIT_BYTES) return undefined;
    willNeed(file.fd, 0, READ_AHEAD_BYTES);
    const offset = word(HEADER.topUnits) * BLOCK_UNIT_BYTES;
    const block = readAt(file.fd, { offset, lengthBytes: word(HEADER.topBytes) });
    const top = block === undefined ? undefined : IndexListing.from(block);
    return top?.count === 1 ? new LayerIndex(file, word(HEADER.entries), top) : undefined;
  }

  /** The listing of a directory; undefined when it is damaged. */
  listing(place: BlockPlace): IndexListing | undefined {
    const { offset } = place;
    if (offset === this.#lastOffset) return this.#last;
    const listing = this.#kept.get(offset) ?? this.#read(place);
    if (listing === undefined) return undefined;
    this.#lastOffset = offset;
    this.#last = listing;
    return listing;
  }

  #read(place: BlockPlace): IndexListing | undefined {
    const block = readAt(this.#file.fd, place);
    const listing = block === undefined ? undefined : IndexListing.from(block);
    if (listing !== undefined) this.#kept.set(place.offset, listing);
    return listing;
  }

  [Symbol.dispose](): void {
    this.#kept.clear();
    this.#last = undefined;
    this.#lastOffset = -1;
    this.#file.close();
  }
}

/** undefined when the file ends before, or can't be read there. */
function readAt(fd: number, { offset, lengthBytes }: BlockPlace): Buffer | undefined {
  // Memory of its own: views of numbers must be aligned.
  const buffer = Buffer.from(new ArrayBuffer(lengthBytes));
  try {
    return preadFull(fd, buffer, 0, lengthBytes, offset) === lengthBytes ? buffer : undefined;
  } catch (error) {
    if (!isFsError(error, errno.EIO)) throw error;
    return undefined;
  }
}

/** A copy of the tree has another inode; whatever was done to its root since has left another ctime. */
function isSameRoot(indexed: Stat, root: Stat): boolean {
  return (
    indexed.ino === root.ino &&
    indexed.ctimeSec === root.ctimeSec &&
    indexed.ctimeNsec === root.ctimeNsec &&
    indexed.btimeSec === root.btimeSec &&
    indexed.btimeNsec === root.btimeNsec &&
    indexed.mode === root.mode &&
    indexed.uid === root.uid &&
    indexed.gid === root.gid
  );
}

let viewer: number | undefined;

/**
 * What owners, ACLs and capabilities are depends on the user namespace of who looks, and which
 * xattrs there are on their rights: who sees otherwise needs another index.
 */
export function viewerMark(): number {
  viewer ??= readViewer();
  return viewer;
}

function readViewer(): number {
  const maps = ["uid_map", "gid_map"].map((name) => readFileSync(`/proc/self/${name}`, "latin1"));
  const text = [...maps, features().trustedXattr].join("\n").replaceAll(/[ \t]+/g, " ");
  return checksumOf(Uint32Array.from(Buffer.from(text)), 0);
}
