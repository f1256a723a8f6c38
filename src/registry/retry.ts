// How long to wait before the next try: doubling pauses with some chance in them, or what the
// server asks for.

import { setTimeout as sleep } from "node:timers/promises";
import type { Patience } from "./options.js";

/** The pause after the n-th failure (1 is the first), milliseconds. */
export function pauseMs(patience: Patience, failures: number): number {
  const longest = Math.min(
    patience.firstPauseMs * 2 ** Math.min(failures - 1, 30),
    patience.longestPauseMs,
  );
  // Between half and all of it: clients that failed together do not come back together.
  return longest * (0.5 + Math.random() / 2);
}

export async function pauseAfter(patience: Patience, failures: number): Promise<void> {
  await sleep(pauseMs(patience, failures));
}

/**
 * Retry-After in milliseconds: seconds, or a date. undefined when it is absent or senseless.
 * https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
 */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header.trim()) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
