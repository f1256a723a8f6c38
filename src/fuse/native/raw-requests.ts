// The kernel's own request behind a call. libfuse 2 tells its callers less than it was told (who
// asks, nanoseconds, which time is set), and fuse-native even less; but the request lies in the
// buffer of the thread that serves it, and is looked at there. What is not found where libfuse 2.9.9
// (the one in the package) has it counts as unknown.

import { Buffer } from "node:buffer";
import { readMemory } from "./process-memory.js";

/** struct fuse_in_header, linux/fuse.h. */
const HEADER_BYTES = 40;
/** The header and the longest body that is of interest, struct fuse_setattr_in. */
const REQUEST_BYTES = HEADER_BYTES + 88;

/** A request as the kernel wrote it. */
export interface RawRequest {
  /** FUSE_*, linux/fuse.h. */
  readonly opcode: number;
  readonly nodeId: bigint;
  readonly uid: number;
  readonly gid: number;
  /** 0 for a process that can't be seen from here. */
  readonly pid: number;
  /** What follows the header; at least as long as struct fuse_setattr_in. */
  readonly body: Buffer;
}

/** fuse_thread_t, fuse-native.c: pthread_t thread, struct fuse *fuse, struct fuse_chan *ch. */
const THREAD = 8;
const FUSE = 368;
const CHANNEL = 376;
/** struct fuse_mt, lib/fuse_loop_mt.c: fields `se` and `prevch`, then the list head `main`. */
const MT_SESSION = 48;
const MT_MAIN = 64;
/** struct fuse_worker: prev, next, thread_id, bufsize, buf, mt. */
const WORKER_BYTES = 48;
const MAX_WORKERS = 4096;
const MAX_WALKS = 20;
/** The first frames of a thread lie so near to its end, below thread-local memory. */
const STACK_BYTES = 256 * 1024;
/** struct pthread of the C library has the first 32 thread-specific values within. */
const PTHREAD_BYTES = 2304;
/** fuse_thread_locals_t: its uv_async_t's `data` is its own address. */
const RECORD_ADDRESS = 232;

interface Worker {
  readonly next: bigint;
  readonly thread: bigint;
  readonly buffer: bigint;
  readonly mt: bigint;
}

/** The requests of one libfuse session. */
export class RawRequests {
  readonly #session: Buffer;
  /** Where the thread with this record has its buffer. */
  readonly #buffers = new WeakMap<Buffer, bigint>();
  /** struct fuse_mt; null: it was looked for in vain. */
  #mt: bigint | null | undefined;

  /** `session` is fuse-native's record of the mount. */
  constructor(session: Buffer) {
    this.#session = session;
  }

  /** The request that the thread with this record is serving; undefined where it can't be found. */
  of(record: Buffer): RawRequest | undefined {
    const address = this.#buffers.get(record) ?? this.#find(record);
    if (address === undefined) return undefined;
    this.#buffers.set(record, address);
    const bytes = readMemory(address, REQUEST_BYTES);
    if (bytes.length < REQUEST_BYTES) return undefined;
    return {
      opcode: bytes.readUInt32LE(4),
      nodeId: bytes.readBigUInt64LE(16),
      uid: bytes.readUInt32LE(24),
      gid: bytes.readUInt32LE(28),
      pid: bytes.readUInt32LE(32),
      body: bytes.subarray(HEADER_BYTES),
    };
  }

  /** False: libfuse has ended the thread with this record. */
  isServing(record: Buffer): boolean {
    return this.#find(record) !== undefined;
  }

  /** The list of threads may change while it is walked: then it is walked again. */
  #find(record: Buffer): bigint | undefined {
    if (this.#mt === undefined) this.#mt = this.#findWorkers() ?? null;
    const mt = this.#mt;
    if (mt === null) return undefined;
    for (let walks = 0; walks < MAX_WALKS; walks++) {
      const address = findBuffer(mt, record);
      if (address !== undefined) return address;
    }
    return undefined;
  }

  /** struct fuse_mt lies on the stack of libfuse's first thread: found by its pair of pointers. */
  #findWorkers(): bigint | undefined {
    const fuse = this.#session.readBigUInt64LE(FUSE);
    const pair = Buffer.concat([readMemory(fuse, 8), this.#session.subarray(CHANNEL, CHANNEL + 8)]);
    const end = this.#session.readBigUInt64LE(THREAD);
    const start = end - BigInt(STACK_BYTES);
    const stack = readMemory(start, STACK_BYTES);
    for (let at = stack.indexOf(pair); at >= 0; at = stack.indexOf(pair, at + 8)) {
      const mt = start + BigInt(at - MT_SESSION);
      const first = readWorker(mt + BigInt(MT_MAIN));
      if (first !== undefined && readWorker(first.next)?.mt === mt) return mt;
    }
    return undefined;
  }
}

function readWorker(address: bigint): Worker | undefined {
  const bytes = readMemory(address, WORKER_BYTES);
  if (bytes.length < WORKER_BYTES) return undefined;
  return {
    next: bytes.readBigUInt64LE(8),
    thread: bytes.readBigUInt64LE(16),
    buffer: bytes.readBigUInt64LE(32),
    mt: bytes.readBigUInt64LE(40),
  };
}

/** The buffer of the worker whose thread has this record as a thread-specific value. */
function findBuffer(mt: bigint, record: Buffer): bigint | undefined {
  const own = record.subarray(RECORD_ADDRESS, RECORD_ADDRESS + 8);
  const head = mt + BigInt(MT_MAIN);
  let worker = readWorker(head);
  for (let count = 0; count < MAX_WORKERS && worker !== undefined; count++) {
    if (worker.next === head) return undefined;
    worker = readWorker(worker.next);
    if (worker?.mt !== mt) return undefined;
    if (readMemory(worker.thread, PTHREAD_BYTES).includes(own)) return worker.buffer;
  }
  return undefined;
}
