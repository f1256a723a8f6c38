// Two calls that nobody waits for: io_uring(7) has threads of the kernel do them, several at once.
// Looking a name up, so that a disk is asked for what comes later while we wait for what comes first;
// all that is wanted of it is that the blocks it needs are in memory afterwards. And the last close of a
// removed file, which frees its inode.

import koffi from "koffi";
import { errno, FsError } from "../errors.js";
import type { ByteString } from "../path.js";
import {
  AT_NO_AUTOMOUNT,
  AT_SYMLINK_NOFOLLOW,
  checked,
  failure,
  lastErrno,
  libc,
  makeScratch,
} from "./libc.js";
import { close } from "./open.js";

/** Handed to the kernel in one call, at most. */
const BATCH = 64;
/** Under way at once, at most. */
const MAX_UNDER_WAY = 1024;
/** Threads of the kernel that wait for the disk, unless told otherwise. */
const MAX_THREADS = 4;
/** Longer paths are left alone. */
const PATH_BYTES = 512;

// The same numbers on every machine.
const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;
const SYS_IO_URING_REGISTER = 427;

// linux/io_uring.h
const IORING_SETUP_CQSIZE = 8;
const IORING_FEAT_SINGLE_MMAP = 1;
const IORING_FEAT_NODROP = 2;
const IORING_REGISTER_IOWQ_MAX_WORKERS = 19;
const IORING_OP_CLOSE = 19;
const IORING_OP_STATX = 21;
const IOSQE_ASYNC = 16;
const IORING_ENTER_GETEVENTS = 1;
const IORING_OFF_RINGS = 0;
const IORING_OFF_SQES = 0x1000_0000;
const SIZEOF_PARAMS = 120;
const SIZEOF_SQE = 64;
const SIZEOF_CQE = 16;
/** struct io_uring_params; those from sqTail on say where in the rings something is. */
const PARAM = {
  cqEntries: 4,
  flags: 8,
  features: 20,
  sqTail: 44,
  sqArray: 64,
  cqHead: 80,
  cqTail: 84,
  cqes: 100,
} as const;

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;
const STATX_INO = 0x100;
const FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;

type Call = (call: number, a: number, b: number, c: number, d: number, e: number) => number;
const ioUring: Call = libc.func(
  "long syscall(long call, long a, long b, uintptr_t c, long d, uintptr_t e)",
);
type Mmap = (
  at: number,
  bytes: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
) => bigint;
const mmap: Mmap = libc.func(
  "void *mmap(uintptr_t at, size_t bytes, int protection, int flags, int fd, long offset)",
);
const munmap: (at: bigint, bytes: number) => number = libc.func(
  "int munmap(void *at, size_t bytes)",
);

const params = makeScratch(SIZEOF_PARAMS);
const paths = makeScratch(PATH_BYTES * BATCH);

/** Memory of the kernel's. */
class Mapping {
  readonly memory: ArrayBuffer;
  readonly #address: bigint;

  constructor(fd: number, bytes: number, offset: number) {
    this.#address = mmap(0, bytes, PROT_READ_WRITE, MAP_SHARED, fd, offset);
    if (this.#address === MAP_FAILED) throw failure("mmap");
    this.memory = koffi.view(this.#address, bytes);
  }

  /** Nobody may look at the memory afterwards. */
  unmap(): void {
    munmap(this.#address, this.memory.byteLength);
  }
}

/** Asks for the rings; `params` tells then where in them is what. Throws FsError. */
function setUp(): number {
  params.buffer.fill(0);
  params.view.setUint32(PARAM.flags, IORING_SETUP_CQSIZE, true);
  params.view.setUint32(PARAM.cqEntries, MAX_UNDER_WAY, true);
  const fd = checked(ioUring(SYS_IO_URING_SETUP, BATCH, params.address, 0, 0, 0), "io_uring_setup");
  const needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP;
  if ((params.view.getUint32(PARAM.features, true) & needed) === needed) return fd;
  close(fd);
  throw new FsError(errno.ENOSYS, "io_uring_setup");
}

/** Calls under way. */
export class AsyncRing {
  readonly #fd: number;
  readonly #rings: Mapping;
  readonly #entries: Mapping;
  readonly #words: Int32Array;
  readonly #sqe: DataView;
  // Indices in `words`.
  readonly #sqTail: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqes: number;
  #queued = 0;
  #underWay = 0;
  #isClosed = false;

  /** Throws FsError: ENOSYS, EPERM where there is no io_uring, or not for us. */
  constructor(threads = MAX_THREADS) {
    this.#fd = setUp();
    const { view } = params;
    const word = (at: number): number => view.getUint32(at, true) / 4;
    const cqesByte = view.getUint32(PARAM.cqes, true);
    const sqArray = word(PARAM.sqArray);
    const ringBytes = Math.max(
      cqesByte + MAX_UNDER_WAY * SIZEOF_CQE,
      view.getUint32(PARAM.sqArray, true) + BATCH * 4,
    );
    try {
      this.#rings = new Mapping(this.#fd, ringBytes, IORING_OFF_RINGS);
      this.#entries = new Mapping(this.#fd, BATCH * SIZEOF_SQE, IORING_OFF_SQES);
    } catch (error) {
      close(this.#fd);
      throw error;
    }
    this.#words = new Int32Array(this.#rings.memory);
    this.#sqe = new DataView(this.#entries.memory);
    this.#sqTail = word(PARAM.sqTail);
    this.#cqHead = word(PARAM.cqHead);
    this.#cqTail = word(PARAM.cqTail);
    this.#cqes = cqesByte / 4;
    for (let at = 0; at < BATCH; at++) this.#words[sqArray + at] = at;
    this.#limitThreads(threads);
  }

  /** Since Linux 5.15; before, there are four for each processor. */
  #limitThreads(threads: number): void {
    params.view.setUint32(0, threads, true);
    params.view.setUint32(4, 1, true);
    const what = IORING_REGISTER_IOWQ_MAX_WORKERS;
    ioUring(SYS_IO_URING_REGISTER, this.#fd, what, params.address, 2, 0);
  }

  /** Handed in and not settled. */
  get underWay(): number {
    return this.#underWay;
  }

  /**
   * Looks up what is at `path` below `dirFd`, which must stay open until `settle` gives `ticket` (32
   * bits). It begins with `submit` at the latest. False when there is no room for more.
   */
  tryLookup(dirFd: number, path: ByteString, ticket: number): boolean {
    if (path.length >= PATH_BYTES || !this.#hasRoom()) return false;
    const slot = this.#nextSlot();
    const pathAt = slot * PATH_BYTES;
    paths.buffer.write(path, pathAt, "latin1");
    paths.buffer[pathAt + path.length] = 0;
    // Nowhere to put the answer: that is what it fails with in the end (EFAULT), with all read.
    const address = BigInt(paths.address + pathAt);
    this.#queue(slot, IORING_OP_STATX, dirFd, address, STATX_INO, FLAGS, ticket);
    return true;
  }

  /** Closes a descriptor; until `settle` gives `ticket` its number is taken. As `tryLookup` otherwise. */
  tryClose(fd: number, ticket: number): boolean {
    if (!this.#hasRoom()) return false;
    // The kernel would close in our thread if it were not asked for another.
    const call = IORING_OP_CLOSE | (IOSQE_ASYNC << 8);
    this.#queue(this.#nextSlot(), call, fd, 0n, 0, 0, ticket);
    return true;
  }

  #hasRoom(): boolean {
    return this.#underWay < MAX_UNDER_WAY && (this.#queued < BATCH || this.submit());
  }

  #nextSlot(): number {
    return (this.#words[this.#sqTail] ?? 0) & (BATCH - 1);
  }

  /** struct io_uring_sqe; what is not named here is 0. */
  #queue(
    slot: number,
    call: number,
    fd: number,
    address: bigint,
    length: number,
    flags: number,
    ticket: number,
  ): void {
    const at = slot * SIZEOF_SQE;
    const sqe = this.#sqe;
    sqe.setUint32(at, call, true);
    sqe.setInt32(at + 4, fd, true);
    sqe.setBigUint64(at + 16, address, true);
    sqe.setUint32(at + 24, length, true);
    sqe.setUint32(at + 28, flags, true);
    sqe.setUint32(at + 32, ticket, true);
    Atomics.store(this.#words, this.#sqTail, ((this.#words[this.#sqTail] ?? 0) + 1) | 0);
    this.#queued += 1;
    this.#underWay += 1;
  }

  /** Hands all that is queued to the kernel; false when it takes none now. */
  submit(): boolean {
    if (this.#queued === 0) return true;
    const taken = ioUring(SYS_IO_URING_ENTER, this.#fd, this.#queued, 0, 0, 0);
    if (taken > 0) this.#queued -= taken;
    return taken > 0;
  }

  /** Tells the tickets of those that are over, each once. */
  settle(isOver: (ticket: number) => void): void {
    const words = this.#words;
    const tail = Atomics.load(words, this.#cqTail);
    let head = words[this.#cqHead] ?? 0;
    for (; head !== tail; head = (head + 1) | 0) {
      const slot = head & (MAX_UNDER_WAY - 1);
      this.#underWay -= 1;
      isOver(words[this.#cqes + (slot * SIZEOF_CQE) / 4] ?? 0);
    }
    Atomics.store(words, this.#cqHead, head);
  }

  /** Waits until all are over. Throws FsError. */
  finish(): void {
    while (this.#underWay > 0 && this.submit()) {
      const waited = ioUring(SYS_IO_URING_ENTER, this.#fd, 0, 1, IORING_ENTER_GETEVENTS, 0);
      if (waited < 0 && lastErrno() !== errno.EINTR) throw failure("io_uring_enter");
      this.settle(() => undefined);
    }
  }

  /** Those that have not begun never will; the others go on by themselves. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#entries.unmap();
    this.#rings.unmap();
    close(this.#fd);
  }
}
