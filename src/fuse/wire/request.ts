// One request of the kernel: a buffer that read(2) fills again and again, and the reading of
// fields from it by byte offset (struct fuse_in_header and what follows, uapi/linux/fuse.h).
// Nothing is copied but names. What a request means is known to the handlers in session/.

import { Buffer } from "node:buffer";
import { errno, FsError } from "../../errors.js";
import { type NameForm, NESTED_NAMES } from "../../layer/nested.js";
import { type ByteString, NAME_MAX_BYTES, type Name } from "../../path.js";
import { IN_HEADER_BYTES, WRITE_DATA_OFFSET } from "./protocol.js";

const HIGH_WORD = 0x1_0000_0000;

/** A request as it lies in memory: little endian, 8-byte aligned. Valid until the next read. */
export class Request {
  readonly buffer: Buffer;
  /** The data of a WRITE: they are written from its start, which needs no view made anew. */
  readonly written: Buffer;
  readonly #words: Uint32Array;
  readonly #names: NameForm;
  /** Bytes of the request that are in the buffer. */
  lengthBytes = 0;

  /** Room for the header, the fixed part of any request and `payloadBytes` of data. */
  constructor(payloadBytes: number, names: NameForm = NESTED_NAMES) {
    this.#names = names;
    const memory = new ArrayBuffer(payloadBytes + 4096);
    this.buffer = Buffer.from(memory);
    this.written = this.buffer.subarray(WRITE_DATA_OFFSET);
    this.#words = new Uint32Array(memory);
  }

  get opcode(): number {
    return this.u32(4);
  }
  /** Low half of the request's number, which its reply repeats. */
  get uniqueLow(): number {
    return this.u32(8);
  }
  get uniqueHigh(): number {
    return this.u32(12);
  }
  get nodeId(): number {
    return this.u64(16);
  }
  get uid(): number {
    return this.u32(24);
  }
  get gid(): number {
    return this.u32(28);
  }
  /** The thread that asks; 0 when the mount's process namespace has no number for it. */
  get pid(): number {
    return this.u32(32);
  }

  /** Unsigned 32 bits at a byte offset that is a multiple of four. */
  u32(offset: number): number {
    return this.#words[offset >>> 2] ?? 0;
  }

  /** Unsigned 64 bits as a number: exact to 2^53, which node ids and handles never reach. */
  u64(offset: number): number {
    return this.u32(offset) + this.u32(offset + 4) * HIGH_WORD;
  }

  /** Signed 64 bits: seconds before 1970 are negative. */
  i64(offset: number): number {
    return this.u32(offset) + (this.u32(offset + 4) | 0) * HIGH_WORD;
  }

  /** A position or size in a file. Throws EFBIG beyond 2^53, where numbers are no more exact. */
  position(offset: number): number {
    const value = this.i64(offset);
    if (value > Number.MAX_SAFE_INTEGER) throw new FsError(errno.EFBIG, "seek");
    if (value < 0) throw new FsError(errno.EINVAL, "seek");
    return value;
  }

  /** The bytes [start, end). */
  bytes(start: number, end: number): ByteString {
    return this.buffer.toString("latin1", start, end) as ByteString;
  }

  /** The NUL-terminated string at `start`; it must lie within the request. */
  text(start: number): ByteString {
    return this.bytes(start, this.endOfText(start));
  }

  /** Where the NUL of the string at `start` is. */
  endOfText(start: number): number {
    const end = this.buffer.indexOf(0, start);
    if (end < 0 || end >= this.lengthBytes) throw new FsError(errno.EINVAL, "read request");
    return end;
  }

  /** The name that is the whole rest of the request, as it is stored. */
  lastName(start = IN_HEADER_BYTES): Name {
    return this.#stored(this.bytes(start, this.lengthBytes - 1));
  }

  /** True when these characters, then NUL, lie at `start`. */
  startsWith(start: number, text: string): boolean {
    const end = start + text.length + 1;
    return end <= this.lengthBytes && this.bytes(start, end) === `${text}\0`;
  }

  /** Puts a request that was read before in the place of the last one. */
  load(bytes: Uint8Array): void {
    this.buffer.set(bytes, 0);
    this.lengthBytes = bytes.length;
  }

  /** The string that is the whole rest of the request. */
  lastText(start = IN_HEADER_BYTES): ByteString {
    return this.bytes(start, this.lengthBytes - 1);
  }

  /** The NUL-terminated name at `start`, as it is stored. */
  name(start: number): Name {
    return this.#stored(this.text(start));
  }

  /** The kernel has taken "/", "." and ".." out of names already, but allows 1,024 bytes. */
  #stored(bytes: ByteString): Name {
    if (bytes.length > NAME_MAX_BYTES) throw new FsError(errno.ENAMETOOLONG, "look up", bytes);
    return this.#names.stored(bytes as Name);
  }
}
