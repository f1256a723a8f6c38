// Which processors this process runs on (sched_setaffinity(2)).

import { readdirSync } from "node:fs";
import { libc, makeScratch } from "./libc.js";

type MaskCall = (threadId: number, sizeBytes: number, mask: number) => number;

const getAffinity: MaskCall = libc.func(
  "int sched_getaffinity(int threadId, size_t sizeBytes, uintptr_t mask)",
);
const setAffinity: MaskCall = libc.func(
  "int sched_setaffinity(int threadId, size_t sizeBytes, uintptr_t mask)",
);

/** Of 8,192 processors, the most that Linux is built for. */
const MASK_BYTES = 1024;
const mask = makeScratch(MASK_BYTES);

/**
 * Leaves one of the process's processors to others: all threads that it has now, and what they start, stay off the
 * last one. Where there is one only, or the kernel refuses, nothing changes.
 */
export function leaveOneProcessor(): void {
  if (getAffinity(0, MASK_BYTES, mask.address) !== 0) return;
  const bytes = mask.buffer.subarray(0, MASK_BYTES);
  const last = bytes.findLastIndex((byte) => byte !== 0);
  const byte = bytes[last];
  if (byte === undefined) return;
  bytes[last] = byte & ~(1 << (31 - Math.clz32(byte)));
  if (bytes.every((each) => each === 0)) return;
  for (const threadId of readdirSync("/proc/self/task")) {
    // One that has ended meanwhile needs none.
    setAffinity(Number(threadId), MASK_BYTES, mask.address);
  }
}
