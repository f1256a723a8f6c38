// One directory out of a layer's index, in memory: its names, found by bisection, and what the disk
// says of each. Nothing here is opened or read again.

import type { ByteString, Name } from "../path.js";
import type { Stat } from "../sys/index.js";
import {
  BLOCK,
  BLOCK_UNIT_BYTES,
  type BlockPlace,
  checksumOf,
  RECORD,
  type StoredXattrs,
  XATTRS_ON_DISK,
} from "./layer-index-format.js";

const TWO_32 = 0x1_0000_0000;
const NO_XATTRS: StoredXattrs = new Map();

/** A block that is whole. Entries are counted from 0, in the order of their names' bytes. */
export class IndexListing {
  readonly count: number;
  readonly #buffer: Buffer;
  readonly #words: Uint32Array;
  readonly #longs: BigUint64Array;
  /** Names are mostly asked for in their order. */
  #last = -1;

  private constructor(buffer: Buffer, words: Uint32Array) {
    this.#buffer = buffer;
    this.#words = words;
    this.#longs = new BigUint64Array(buffer.buffer, buffer.byteOffset, buffer.length >>> 3);
    this.count = words[BLOCK.count] ?? 0;
  }

  /** undefined when the bytes are not those that were written. The buffer must be aligned to 8 bytes. */
  static from(buffer: Buffer): IndexListing | undefined {
    const words = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >>> 2);
    if (words.length < BLOCK.WORDS || words[BLOCK.bytes] !== buffer.length) return undefined;
    if (words[BLOCK.checksum] !== checksumOf(words, BLOCK.checksum + 1)) return undefined;
    return new IndexListing(buffer, words);
  }

  /** The entry of a name; -1 where there is none. */
  find(name: ByteString): number {
    const next = this.#last + 1;
    if (next < this.count && this.#compare(next, name) === 0) {
      this.#last = next;
      return next;
    }
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.#compare(middle, name);
      if (order === 0) {
        this.#last = middle;
        return middle;
      }
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Below 0 when the entry's name comes first. */
  #compare(entry: number, name: ByteString): number {
    const start = this.#word(entry, RECORD.nameAt);
    const length = this.#nameBytes(entry);
    const shared = Math.min(length, name.length);
    for (let at = 0; at < shared; at++) {
      const difference = (this.#buffer[start + at] ?? 0) - name.charCodeAt(at);
      if (difference !== 0) return difference;
    }
    return length - name.length;
  }

  name(entry: number): Name {
    const start = this.#word(entry, RECORD.nameAt);
    return this.#buffer.toString("latin1", start, start + this.#nameBytes(entry)) as Name;
  }

  ino(entry: number): bigint {
    return this.#longs[(BLOCK.WORDS + entry * RECORD.WORDS + RECORD.ino) >>> 1] ?? 0n;
  }

  mode(entry: number): number {
    return this.#word(entry, RECORD.mode);
  }

  /** As statx gave it; `dev` is that of the layer, which a reboot may change. */
  stat(entry: number, dev: number): Stat {
    return {
      dev,
      ino: this.ino(entry),
      nlink: this.#word(entry, RECORD.nlink),
      mode: this.#word(entry, RECORD.mode),
      uid: this.#word(entry, RECORD.uid),
      gid: this.#word(entry, RECORD.gid),
      rdevMajor: this.#word(entry, RECORD.rdevMajor),
      rdevMinor: this.#word(entry, RECORD.rdevMinor),
      sizeBytes: this.#long(entry, RECORD.size),
      blocks: this.#long(entry, RECORD.blocks),
      blksize: this.#word(entry, RECORD.blksize),
      atimeSec: this.#long(entry, RECORD.atime),
      atimeNsec: this.#word(entry, RECORD.atimeNsec),
      mtimeSec: this.#long(entry, RECORD.mtime),
      mtimeNsec: this.#word(entry, RECORD.mtimeNsec),
      ctimeSec: this.#long(entry, RECORD.ctime),
      ctimeNsec: this.#word(entry, RECORD.ctimeNsec),
      btimeSec: this.#long(entry, RECORD.btime),
      btimeNsec: this.#word(entry, RECORD.btimeNsec),
      attributes: this.#word(entry, RECORD.attributes),
    };
  }

  /** Of a symlink. */
  target(entry: number): ByteString {
    const start = this.#word(entry, RECORD.moreAt);
    const end = start + this.#word(entry, RECORD.targetBytes);
    return this.#buffer.toString("latin1", start, end) as ByteString;
  }

  /** All, in the kernel's order; undefined where only the disk has them. */
  xattrs(entry: number): StoredXattrs | undefined {
    const count = this.#word(entry, RECORD.nameBytes) >>> 16;
    if (count === 0) return NO_XATTRS;
    if (count === XATTRS_ON_DISK) return undefined;
    const buffer = this.#buffer;
    const xattrs = new Map<ByteString, Buffer>();
    let at = this.#word(entry, RECORD.moreAt) + this.#word(entry, RECORD.targetBytes);
    for (let left = count; left > 0; left--) {
      const nameEnd = at + 6 + buffer.readUInt16LE(at);
      const end = nameEnd + buffer.readUInt32LE(at + 2);
      const name = buffer.toString("latin1", at + 6, nameEnd) as ByteString;
      xattrs.set(name, buffer.subarray(nameEnd, end));
      at = end;
    }
    return xattrs;
  }

  /** The block of a directory; undefined for one without names. */
  block(entry: number): BlockPlace | undefined {
    const lengthBytes = this.#word(entry, RECORD.blockBytes);
    if (lengthBytes === 0) return undefined;
    return { offset: this.#word(entry, RECORD.blockUnits) * BLOCK_UNIT_BYTES, lengthBytes };
  }

  #nameBytes(entry: number): number {
    return this.#word(entry, RECORD.nameBytes) & 0xffff;
  }

  #word(entry: number, field: number): number {
    return this.#words[BLOCK.WORDS + entry * RECORD.WORDS + field] ?? 0;
  }

  /** 64 bits, with a sign. */
  #long(entry: number, field: number): number {
    const at = BLOCK.WORDS + entry * RECORD.WORDS + field;
    return ((this.#words[at + 1] ?? 0) | 0) * TWO_32 + (this.#words[at] ?? 0);
  }
}
