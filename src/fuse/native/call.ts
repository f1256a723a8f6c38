// One call of libfuse to us: what it asks, and its answer. fuse-native hands over a part of it
// only; the rest is read from its own record of the call (fuse_thread_locals_t in fuse-native.c
// 2.2.6, as x86-64 lays it out), which lies in a Buffer that we gave it.

import { Buffer } from "node:buffer";
import { assert } from "../../assert.js";
import { errno, FsError } from "../../errors.js";
import { type ByteString, bytesOf, bytesOfBuffer } from "../../path.js";
import type { Stat, Statfs } from "../../sys/index.js";
import { encodeDevice } from "../wire/reply.js";
import type { AttributeBelief } from "./attribute-belief.js";
import type { NativeBinding } from "./binding.js";
import type { Notices } from "./notices.js";
import { readMemory, writeMemory } from "./process-memory.js";
import type { RawRequest, RawRequests } from "./raw-requests.js";

/** sizeof(fuse_thread_locals_t). */
export const CALL_BYTES = 360;

/** Offsets of its fields. */
const field = {
  path: 24,
  dest: 32,
  linkname: 40,
  info: 48,
  buffer: 56,
  offset: 64,
  lengthBytes: 72,
  mode: 80,
  device: 88,
  uid: 96,
  gid: 100,
  atimeMs: 104,
  mtimeMs: 112,
  xattrName: 128,
  flags: 164,
  stat: 168,
  statvfs: 176,
  filler: 184,
} as const;

/** The bits of struct fuse_file_info (libfuse 2.9); those that libfuse sets by itself come later. */
const INFO_BITS = 20n;
const KEEP_CACHE = Uint8Array.of(2, 0, 0, 0);

type TextField = "path" | "dest" | "xattrName";

/** Longer than any path that the kernel lets a program walk in one call. */
const MAX_TEXT_BYTES = 64 * 1024;
const ASCII = /^[\0-\x7f]*$/;
const NOT_UTF8 = "\ufffd";

const statBytes = Buffer.alloc(144);
const statvfsBytes = Buffer.alloc(112);

/** What all calls of a mount have in common. */
export interface CallParts {
  readonly binding: NativeBinding;
  readonly requests: RawRequests;
  readonly belief: AttributeBelief;
  readonly notices: Notices;
}

/** Exactly one of `finish`'s calls ends it; nothing of it may be used after. */
export class Call {
  readonly #parts: CallParts;
  readonly #record: Buffer;
  readonly #given: readonly unknown[];
  /** Looked at once; null: not found. */
  #request: RawRequest | null | undefined;
  #openFlags: number | undefined;
  /** The number that open and create give to the file. */
  fileNumber: number | undefined;

  constructor(parts: CallParts, record: Buffer, given: readonly unknown[]) {
    this.#parts = parts;
    this.#record = record;
    this.#given = given;
  }

  /** The kernel's request behind the call, if it is found and has this opcode. */
  request(opcode: number): RawRequest | undefined {
    if (this.#request === undefined) {
      this.#request = this.#parts.requests.of(this.#record) ?? null;
    }
    return this.#request?.opcode === opcode ? this.#request : undefined;
  }

  get path(): ByteString {
    return this.#text("path", 0);
  }

  /** The second path: the new name of rename and link; the new symlink itself. */
  get dest(): ByteString {
    return this.#text("dest", 1);
  }

  get xattrName(): ByteString {
    return this.#text("xattrName", 1);
  }

  /** What was not UTF-8 came with U+FFFD in its place: then the bytes are fetched. */
  #text(name: TextField, position: number): ByteString {
    const text = this.#given[position];
    assert(typeof text === "string", `${name} is text`);
    if (ASCII.test(text)) return text as ByteString;
    if (!text.includes(NOT_UTF8)) return bytesOf(text);
    const address = this.#record.readBigUInt64LE(field[name]);
    const bytes = readMemory(address, MAX_TEXT_BYTES);
    const end = bytes.indexOf(0);
    if (end < 0) throw new FsError(errno.ENAMETOOLONG, "read path");
    return bytesOfBuffer(bytes.subarray(0, end));
  }

  /** The file's number, for calls on open files; at `position` among what was given. */
  file(position: number): number {
    const number = this.#given[position];
    assert(typeof number === "number", "a file has a number");
    return number;
  }

  /** Memory lent by libfuse until the answer: data to write or set, or room for what is asked. */
  get lent(): Buffer {
    const buffer = this.#given.find((one) => Buffer.isBuffer(one));
    assert(Buffer.isBuffer(buffer), "the call lends a buffer");
    return buffer;
  }

  /** Position in a file, or the size to truncate to. */
  get offset(): number {
    return Number(this.#record.readBigInt64LE(field.offset));
  }

  get mode(): number {
    return this.#record.readUInt32LE(field.mode);
  }

  /** As the kernel encodes it (new_encode_dev). */
  get device(): number {
    return this.#record.readUInt32LE(field.device);
  }

  /** 0xffffffff: to stay as it is. */
  get uid(): number {
    return this.#record.readUInt32LE(field.uid);
  }

  get gid(): number {
    return this.#record.readUInt32LE(field.gid);
  }

  get atimeMs(): number {
    return Number(this.#record.readBigInt64LE(field.atimeMs));
  }

  get mtimeMs(): number {
    return Number(this.#record.readBigInt64LE(field.mtimeMs));
  }

  /** XATTR_* of setxattr. */
  get xattrFlags(): number {
    return this.#record.readUInt32LE(field.flags);
  }

  /** O_* of open and create: the first field of struct fuse_file_info. */
  get openFlags(): number {
    this.#openFlags ??= readMemory(this.#info, 4).readUInt32LE(0);
    return this.#openFlags;
  }

  /** struct fuse_file_info of calls on files. */
  get #info(): bigint {
    return this.#record.readBigUInt64LE(field.info);
  }

  /** Of open: what the kernel has of the file's content still holds. */
  keepCache(): void {
    writeMemory(this.#info + INFO_BITS, KEEP_CACHE);
  }

  /** Where a listing goes: libfuse's function for it, and what to call that with. */
  get listing(): { readonly filler: bigint; readonly buffer: bigint } {
    return {
      filler: this.#record.readBigUInt64LE(field.filler),
      buffer: this.#record.readBigUInt64LE(field.buffer),
    };
  }

  /**
   * Answers getattr: struct stat of x86-64, whole, where fuse-native knows milliseconds.
   * `isShared`: other names of the file have the same attributes, and change them.
   */
  putStat(stat: Stat, isShared: boolean): void {
    if (isShared) this.#parts.belief.doubt(this.#record);
    const bytes = statBytes;
    bytes.writeBigUInt64LE(stat.ino, 8);
    bytes.writeBigUInt64LE(BigInt(stat.nlink), 16);
    bytes.writeUInt32LE(stat.mode, 24);
    bytes.writeUInt32LE(stat.uid, 28);
    bytes.writeUInt32LE(stat.gid, 32);
    bytes.writeBigUInt64LE(BigInt(encodeDevice(stat.rdevMajor, stat.rdevMinor)), 40);
    bytes.writeBigInt64LE(BigInt(stat.sizeBytes), 48);
    bytes.writeBigInt64LE(BigInt(stat.blksize), 56);
    bytes.writeBigInt64LE(BigInt(stat.blocks), 64);
    putTime(bytes, 72, stat.atimeSec, stat.atimeNsec);
    putTime(bytes, 88, stat.mtimeSec, stat.mtimeNsec);
    putTime(bytes, 104, stat.ctimeSec, stat.ctimeNsec);
    writeMemory(this.#record.readBigUInt64LE(field.stat), bytes);
  }

  /** What the kernel is told before the answer, lest it believe what is no longer so. */
  get notices(): Notices {
    return this.#parts.notices;
  }

  /** Answers statfs: struct statvfs of 64-bit Linux, where fuse-native knows 32 bits. */
  putStatfs(room: Statfs): void {
    const bytes = statvfsBytes;
    bytes.writeBigUInt64LE(BigInt(room.bsize), 0);
    bytes.writeBigUInt64LE(BigInt(room.frsize), 8);
    bytes.writeBigUInt64LE(room.blocks, 16);
    bytes.writeBigUInt64LE(room.bfree, 24);
    bytes.writeBigUInt64LE(room.bavail, 32);
    bytes.writeBigUInt64LE(room.files, 40);
    bytes.writeBigUInt64LE(room.ffree, 48);
    bytes.writeBigUInt64LE(room.ffree, 56);
    bytes.writeBigUInt64LE(BigInt(room.namelen), 80);
    writeMemory(this.#record.readBigUInt64LE(field.statvfs), bytes);
  }

  /** Answers readlink. Throws FsError ENAMETOOLONG where libfuse has no room for it. */
  putLink(target: ByteString): void {
    const room = Number(this.#record.readBigUInt64LE(field.lengthBytes));
    if (target.length >= room) throw new FsError(errno.ENAMETOOLONG, "readlink");
    const bytes = Buffer.from(`${target}\0`, "latin1");
    writeMemory(this.#record.readBigUInt64LE(field.linkname), bytes);
  }

  /** Lets libfuse go on: with a negative errno, or what the operation returns (0, or a count). */
  finish(result: number): void {
    const { binding } = this.#parts;
    const lent = this.#given.find((one) => Buffer.isBuffer(one));
    if (Buffer.isBuffer(lent)) {
      binding.fuse_native_signal_setxattr(this.#record, result, lent.buffer);
    } else if (this.fileNumber !== undefined) {
      binding.fuse_native_signal_open(this.#record, result, this.fileNumber);
    } else {
      binding.fuse_native_signal_unlink(this.#record, result);
    }
  }
}

function putTime(bytes: Buffer, offset: number, sec: number, nsec: number): void {
  bytes.writeBigInt64LE(BigInt(sec), offset);
  bytes.writeBigInt64LE(BigInt(nsec), offset + 8);
}
