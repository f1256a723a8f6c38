// Children that node:child_process doesn't know of: pipes that they inherit, orphans that come to
// this process, and how they ended.

import { constants } from "node:os";
import { checked, libc, makeScratch, uninterrupted } from "./libc.js";
import { O_CLOEXEC } from "./open.js";

const PR_SET_CHILD_SUBREAPER = 36;
const PR_SET_IO_FLUSHER = 57;
const WNOHANG = 1;

const pipe2: (out: number, flags: number) => number = libc.func(
  "int pipe2(uintptr_t out, int flags)",
);
const prctl: (option: number, a: number, b: number, c: number, d: number) => number = libc.func(
  "int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)",
);
const waitpidNative: (pid: number, status: number, options: number) => number = libc.func(
  "int waitpid(int pid, uintptr_t status, int options)",
);

const scratch = makeScratch(8);

/**
 * A pipe, both ends close-on-exec. What node gives to children are sockets, which a program can't
 * open again by /dev/stdout. Throws FsError.
 */
export function makePipe(): { readonly readEnd: number; readonly writeEnd: number } {
  checked(pipe2(scratch.address, O_CLOEXEC), "pipe2");
  return { readEnd: scratch.view.getInt32(0, true), writeEnd: scratch.view.getInt32(4, true) };
}

/** Orphaned descendants become this process's children (PR_SET_CHILD_SUBREAPER(2const)). Throws FsError. */
export function becomeSubreaper(): void {
  checked(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl");
}

/**
 * This thread writes back what others dirty: it is not made to wait for that itself, and the kernel gives it memory
 * without writing back for it (PR_SET_IO_FLUSHER(2const), Linux 5.6). Where it may not be one nothing changes.
 */
export function becomeIoFlusher(): void {
  prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

/** The status that a shell shows of a status of wait(2): 0..255, 128 + n after signal n. */
export function exitStatusOfWait(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

/**
 * How a child ended that node knows nothing of, as exitStatusOfWait; undefined while it runs. Its
 * zombie is gone afterwards. Throws FsError (ECHILD: no child of this process).
 */
export function reap(pid: number): number | undefined {
  const found = uninterrupted(() => waitpidNative(pid, scratch.address, WNOHANG));
  if (checked(found, "waitpid") === 0) return undefined;
  return exitStatusOfWait(scratch.view.getInt32(0, true));
}

/** "TERM", "SIGTERM", "15": the signal's number; undefined for what is none. */
export function signalNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= 64 ? number : undefined;
  }
  const upper = text.toUpperCase();
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime !== null) return realTimeSignal(realTime);
  return Object.hasOwn(constants.signals, name)
    ? constants.signals[name as NodeJS.Signals]
    : undefined;
}

/** As glibc counts them: the first two of 32..64 are its own. */
function realTimeSignal([, base, sign, offset = "0"]: RegExpExecArray): number | undefined {
  const number = (base === "MIN" ? 34 : 64) + (sign === "-" ? -1 : 1) * Number(offset);
  return number >= 34 && number <= 64 ? number : undefined;
}
