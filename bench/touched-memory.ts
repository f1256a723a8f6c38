// Free memory that has been used before. A virtual machine's host may take free pages back, and then the first to touch
// them waits for it: so whoever is measured finds what a machine that runs for a while gives to all alike.

import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const PIECE_BYTES = 64 << 20;

/** Uses so much memory and frees it again. */
export function touchMemory(bytes: number): void {
  const used = mkdtempSync("/dev/shm/strata-bench-");
  try {
    const pages = Buffer.alloc(PIECE_BYTES, 1);
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      appendFileSync(join(used, "pages"), pages);
    }
  } finally {
    rmSync(used, { recursive: true });
  }
}
