// One reply to the kernel: a buffer that is filled from byte 16 on and written with one write(2),
// and the writing of the protocol's structures into it by byte offset (uapi/linux/fuse.h).
// Which reply belongs to which request is known to the handlers in session/.

import { Buffer } from "node:buffer";
import type { ByteString } from "../../path.js";
import type { Stat, Statfs } from "../../sys/index.js";
import {
  ATTR_OUT_BYTES,
  DIRENT_NAME_OFFSET,
  ENTRY_BYTES,
  OPEN_BYTES,
  OUT_HEADER_BYTES,
  ROOT_NODE_ID,
  STATFS_BYTES,
  STATX_OUT_BYTES,
  STORE_BYTES,
} from "./protocol.js";

const HIGH_WORD = 0x1_0000_0000;
/** STATX_BASIC_STATS | STATX_BTIME. */
const STATX_ALL = 0xfff;

/** Seconds an answer may be believed: for ever, where only this mount changes the tree. */
export const FOR_EVER_SECONDS = 0x7fff_ffff;

/** 32 bits, as the kernel's inodes have, that hardly any other mount of this machine has; not 0. */
export function newGeneration(): number {
  return Number(BigInt.asUintN(32, process.hrtime.bigint())) || 1;
}

/** Bytes that a name takes in READDIR (`entryBytes` 0) or READDIRPLUS (128), padded to 8. */
export function direntBytes(nameBytes: number, entryBytes: number): number {
  return (entryBytes + DIRENT_NAME_OFFSET + nameBytes + 7) & ~7;
}

/** new_encode_dev() of the kernel: 20 bits of minor number around 12 of major number. */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** The reverse of encodeDevice. */
export function decodeDevice(device: number): { major: number; minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}

/**
 * struct fuse_out_header at byte `at` of a message, wherever that is: `error` is 0 or a negative errno.
 * Returns the message's length in bytes. (A DataView costs what a typed array does, and needs no
 * alignment; Buffer's own methods cost ten times as much.)
 */
export function writeHeader(
  message: DataView,
  at: number,
  uniqueLow: number,
  uniqueHigh: number,
  error: number,
  payloadBytes: number,
): number {
  const lengthBytes = OUT_HEADER_BYTES + payloadBytes;
  message.setUint32(at, lengthBytes, true);
  message.setInt32(at + 4, error, true);
  message.setUint32(at + 8, uniqueLow, true);
  message.setUint32(at + 12, uniqueHigh, true);
  return lengthBytes;
}

/** A reply under construction. Offsets are from the beginning of the buffer, header included. */
export class Reply {
  readonly buffer: Buffer;
  /** The payload's place: data are read into it from its start, which needs no view made anew. */
  readonly payload: Buffer;
  /** The place of a notice's content (fuse_notify_store_out comes before it). */
  readonly stored: Buffer;
  /** Of all node ids of this mount: another mount's, which file handles may still name, have another. */
  generation = 0;
  #believedSec = FOR_EVER_SECONDS;
  #believedNsec = 0;
  readonly #words: Uint32Array;
  readonly #longs: BigUint64Array;
  readonly #view: DataView;

  /** Room for the header and `payloadBytes`. */
  constructor(payloadBytes: number) {
    const memory = new ArrayBuffer(payloadBytes + 4096);
    this.buffer = Buffer.from(memory);
    this.payload = this.buffer.subarray(OUT_HEADER_BYTES);
    this.stored = this.buffer.subarray(OUT_HEADER_BYTES + STORE_BYTES);
    this.#words = new Uint32Array(memory);
    this.#longs = new BigUint64Array(memory);
    this.#view = new DataView(memory);
  }

  /** How long names and attributes may be believed at most; fractions of seconds count. */
  believeFor(seconds: number): void {
    this.#believedSec = Math.min(Math.floor(seconds), FOR_EVER_SECONDS);
    this.#believedNsec = Math.floor((seconds % 1) * 1e9);
  }

  /** The header of this reply, as writeHeader. */
  header(uniqueLow: number, uniqueHigh: number, error: number, payloadBytes: number): number {
    return writeHeader(this.#view, 0, uniqueLow, uniqueHigh, error, payloadBytes);
  }

  u32(offset: number, value: number): void {
    this.#words[offset >>> 2] = value;
  }

  /** 64 bits of an integer, negative ones in two's complement. */
  u64(offset: number, value: number): void {
    this.#words[offset >>> 2] = value;
    this.#words[(offset >>> 2) + 1] = Math.floor(value / HIGH_WORD);
  }

  /** Zeroes [start, end), both multiples of four. */
  clear(start: number, end: number): void {
    this.#words.fill(0, start >>> 2, end >>> 2);
  }

  /** struct fuse_attr at `offset`. */
  attr(offset: number, stat: Stat): void {
    const words = this.#words;
    const at = offset >>> 2;
    this.#longs[offset >>> 3] = stat.ino;
    this.u64(offset + 8, stat.sizeBytes);
    this.u64(offset + 16, stat.blocks);
    this.u64(offset + 24, stat.atimeSec);
    this.u64(offset + 32, stat.mtimeSec);
    this.u64(offset + 40, stat.ctimeSec);
    words[at + 12] = stat.atimeNsec;
    words[at + 13] = stat.mtimeNsec;
    words[at + 14] = stat.ctimeNsec;
    words[at + 15] = stat.mode;
    words[at + 16] = stat.nlink;
    words[at + 17] = stat.uid;
    words[at + 18] = stat.gid;
    words[at + 19] = encodeDevice(stat.rdevMajor, stat.rdevMinor);
    words[at + 20] = stat.blksize;
    words[at + 21] = 0;
  }

  /** struct fuse_entry_out at `offset`. The root was there before any generation. */
  entry(offset: number, nodeId: number, stat: Stat, attrSeconds: number): void {
    this.u64(offset, nodeId);
    this.u64(offset + 8, nodeId === ROOT_NODE_ID ? 0 : this.generation);
    this.u64(offset + 16, this.#believedSec);
    this.u64(offset + 24, Math.min(attrSeconds, this.#believedSec));
    this.u32(offset + 32, this.#believedNsec);
    this.u32(offset + 36, this.#nsecOf(attrSeconds));
    this.attr(offset + 40, stat);
  }

  /** struct fuse_entry_out of a name that is not there: the kernel remembers that. */
  negativeEntry(offset: number): void {
    this.clear(offset, offset + ENTRY_BYTES);
    this.u64(offset + 16, this.#believedSec);
    this.u32(offset + 32, this.#believedNsec);
  }

  /** The nanoseconds that go with the lesser of `attrSeconds` and what is believed at most. */
  #nsecOf(attrSeconds: number): number {
    return attrSeconds > this.#believedSec ? this.#believedNsec : 0;
  }

  /** struct fuse_attr_out as the payload. Returns its size. */
  attrOut(stat: Stat, attrSeconds: number): number {
    this.u64(OUT_HEADER_BYTES, Math.min(attrSeconds, this.#believedSec));
    this.u64(OUT_HEADER_BYTES + 8, this.#nsecOf(attrSeconds));
    this.attr(OUT_HEADER_BYTES + 16, stat);
    return ATTR_OUT_BYTES;
  }

  /** struct fuse_open_out at `offset`; `backingId` 0 without passthrough. */
  openOut(offset: number, handle: number, openFlags: number, backingId: number): number {
    this.u64(offset, handle);
    this.u32(offset + 8, openFlags);
    this.u32(offset + 12, backingId);
    return OPEN_BYTES;
  }

  /** struct fuse_statx_out as the payload: everything fuse_attr has, and the time of birth. */
  statxOut(stat: Stat, attrSeconds: number): number {
    const base = OUT_HEADER_BYTES + 32;
    this.clear(OUT_HEADER_BYTES, OUT_HEADER_BYTES + STATX_OUT_BYTES);
    this.u64(OUT_HEADER_BYTES, Math.min(attrSeconds, this.#believedSec));
    this.u32(OUT_HEADER_BYTES + 8, this.#nsecOf(attrSeconds));
    this.u32(base, STATX_ALL);
    this.u32(base + 4, stat.blksize);
    this.u32(base + 16, stat.nlink);
    this.u32(base + 20, stat.uid);
    this.u32(base + 24, stat.gid);
    this.u32(base + 28, stat.mode);
    this.#longs[(base + 32) >>> 3] = stat.ino;
    this.u64(base + 40, stat.sizeBytes);
    this.u64(base + 48, stat.blocks);
    this.#statxTime(base + 64, stat.atimeSec, stat.atimeNsec);
    this.#statxTime(base + 80, stat.btimeSec, stat.btimeNsec);
    this.#statxTime(base + 96, stat.ctimeSec, stat.ctimeNsec);
    this.#statxTime(base + 112, stat.mtimeSec, stat.mtimeNsec);
    this.u32(base + 128, stat.rdevMajor);
    this.u32(base + 132, stat.rdevMinor);
    return STATX_OUT_BYTES;
  }

  #statxTime(offset: number, sec: number, nsec: number): void {
    this.u64(offset, sec);
    this.u32(offset + 8, nsec);
  }

  /** struct fuse_statfs_out as the payload. */
  statfsOut(statfs: Statfs): number {
    const at = OUT_HEADER_BYTES;
    this.clear(at, at + STATFS_BYTES);
    this.u64(at, Number(statfs.blocks));
    this.u64(at + 8, Number(statfs.bfree));
    this.u64(at + 16, Number(statfs.bavail));
    this.u64(at + 24, Number(statfs.files));
    this.u64(at + 32, Number(statfs.ffree));
    this.u32(at + 40, Number(statfs.bsize));
    this.u32(at + 44, Number(statfs.namelen));
    this.u32(at + 48, Number(statfs.frsize));
    return STATFS_BYTES;
  }

  /**
   * struct fuse_dirent at `offset` (8-byte aligned): `next` is the offset to go on from after it.
   * Returns where the next one begins.
   */
  dirent(offset: number, ino: bigint, next: number, type: number, name: ByteString): number {
    const nameStart = offset + DIRENT_NAME_OFFSET;
    const end = (nameStart + name.length + 7) & ~7;
    this.#longs[offset >>> 3] = ino;
    this.u64(offset + 8, next);
    this.u32(offset + 16, name.length);
    this.u32(offset + 20, type);
    this.u64(end - 8, 0);
    this.buffer.write(name, nameStart, "latin1");
    return end;
  }
}
