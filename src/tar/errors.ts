// The one error of this folder: bytes that are not a tar archive, or an entry that no archive can hold.
// Faults of the compression around an archive are EngineErrors (compression.ts).

import type { ByteString } from "../path.js";
import { textOf } from "../path.js";

/** A broken archive, or an entry that cannot be written. Nothing after it can be trusted. */
export class TarError extends Error {
  override readonly name = "TarError";
  /** Position in the uncompressed archive, in bytes, where the fault was seen. */
  readonly offset: number;

  constructor(
    verb: "read" | "write",
    object: ByteString | "archive",
    state: string,
    offset: number,
  ) {
    super(
      `Cannot ${verb} "${shortened(textOf(object as ByteString))}": ${state} (at byte ${offset})`,
    );
    this.offset = offset;
  }
}

/** Paths may have 64 KiB, messages may not. */
function shortened(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 150)}…${text.slice(-149)}`;
}
