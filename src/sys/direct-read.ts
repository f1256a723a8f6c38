// Reading files past the page cache without waiting for each piece (io_submit(2) and its kin), and
// whether the page cache has them already.

import { checked, libc, makeScratch, perMachine, uninterrupted } from "./libc.js";

const syscall: (
  call: number,
  first: number,
  second: number,
  third: number,
  fourth: number,
  fifth: number,
) => number = libc.func(
  "long syscall(long call, uintptr_t first, uintptr_t second, uintptr_t third, uintptr_t fourth, uintptr_t fifth)",
);
const IO_SETUP = perMachine(206, 0);
const IO_DESTROY = perMachine(207, 1);
const IO_SUBMIT = perMachine(209, 2);
const IO_GETEVENTS = perMachine(208, 4);
const CACHESTAT = 451;

const SIZEOF_IOCB = 64;
const SIZEOF_IO_EVENT = 32;

const word = makeScratch(8);
const control = makeScratch(SIZEOF_IOCB);
const event = makeScratch(SIZEOF_IO_EVENT);

/** Reads that go on while the caller does something else, each known by a number of the caller's. */
export class AsyncReads {
  readonly #context: number;

  /** Throws FsError (EAGAIN: the system has no more of them). */
  constructor(atOnce: number) {
    word.view.setBigUint64(0, 0n, true);
    checked(syscall(IO_SETUP, atOnce, word.address, 0, 0, 0), "io_setup");
    this.#context = Number(word.view.getBigUint64(0, true));
  }

  /**
   * Begins to read; the memory at `address` must stay until it is done. With O_DIRECT all three
   * must be multiples of the disk's block. Throws FsError.
   */
  submit(
    number: number,
    fd: number,
    memory: { readonly address: number; readonly lengthBytes: number },
    position: number,
  ): void {
    const { view, buffer } = control;
    buffer.fill(0, 0, SIZEOF_IOCB); // IOCB_CMD_PREAD is 0.
    view.setBigUint64(0, BigInt(number), true);
    view.setUint32(20, fd, true);
    view.setBigUint64(24, BigInt(memory.address), true);
    view.setBigUint64(32, BigInt(memory.lengthBytes), true);
    view.setBigInt64(40, BigInt(position), true);
    word.view.setBigUint64(0, BigInt(control.address), true);
    checked(syscall(IO_SUBMIT, this.#context, 1, word.address, 0, 0), "io_submit");
  }

  /** Waits for one to end: its number, and the bytes read or a negative errno. Throws FsError. */
  wait(): { readonly number: number; readonly result: number } {
    checked(
      uninterrupted(() => syscall(IO_GETEVENTS, this.#context, 1, 1, event.address, 0)),
      "io_getevents",
    );
    const number = Number(event.view.getBigUint64(0, true));
    return { number, result: Number(event.view.getBigInt64(16, true)) };
  }

  /** Waits for all that goes on. */
  close(): void {
    syscall(IO_DESTROY, this.#context, 0, 0, 0, 0);
  }
}

const PAGE_BYTES = 4096;
const range = makeScratch(16);
const counts = makeScratch(40);

/**
 * How much of a part of a file is in the page cache, in bytes (cachestat(2)); undefined where
 * nobody tells: before Linux 6.5, for a file of somebody else's.
 */
export function cachedBytes(fd: number, position: number, lengthBytes: number): number | undefined {
  range.view.setBigUint64(0, BigInt(position), true);
  range.view.setBigUint64(8, BigInt(lengthBytes), true);
  if (syscall(CACHESTAT, fd, range.address, counts.address, 0, 0) !== 0) return undefined;
  return Number(counts.view.getBigUint64(0, true)) * PAGE_BYTES;
}
