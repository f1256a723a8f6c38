// The keys of the cache: one digest of all parts, of which none can run into the next.

import { createHash } from "node:crypto";

/** What a key is made of. */
export type KeyPart = string | number | boolean | undefined | readonly KeyPart[];

/** When what a key means changes, so does this: old records are never found again. */
const KEY_VERSION = "strata build 1";

/** 64 hex digits. */
export function keyOf(...parts: readonly KeyPart[]): string {
  // An absent part differs from an empty one.
  const text = JSON.stringify([KEY_VERSION, ...parts], (_, value: unknown) =>
    value === undefined ? null : value,
  );
  return createHash("sha256").update(text).digest("hex");
}
