// This process's own memory by address, through /proc/self/mem: what lies behind the pointers that
// libfuse hands over. A wrong address is no memory here, where a pointer would end the process.

import { Buffer } from "node:buffer";
import { openSync, readSync, writeSync } from "node:fs";

/** Where programs' memory ends (Documentation/arch/x86/x86_64/mm.rst). */
const END = 1n << 47n;

let descriptor: number | undefined;

function memory(): number {
  descriptor ??= openSync("/proc/self/mem", "r+");
  return descriptor;
}

/** The `lengthBytes` from `address` on; fewer, or none, where mapped memory ends before. */
export function readMemory(address: bigint, lengthBytes: number): Buffer {
  if (address <= 0n || address >= END) return Buffer.alloc(0);
  const bytes = Buffer.alloc(lengthBytes);
  try {
    return bytes.subarray(0, readSync(memory(), bytes, 0, lengthBytes, address));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EIO")
      return bytes.subarray(0, 0);
    throw error;
  }
}

/** Puts the bytes at `address`. */
export function writeMemory(address: bigint, bytes: Uint8Array): void {
  // Addresses of a process are below 2^47.
  writeSync(memory(), bytes, 0, bytes.length, Number(address));
}
