// The blobs of one command on their way in: whole and readable, but only for that command. They lie
// in tmp/ until all of them are on the disk; so a name in blobs/ never means less than the whole blob.

import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, hexOf } from "../digest.js";
import type { KeepBlob } from "./blob-writer.js";
import { BlobStore } from "./blobs.js";
import { syncDirectory } from "./durable.js";

/** The store's blobs and those that are coming in: to be read as one. Disposing of it removes what has no name yet. */
export class IncomingBlobs extends BlobStore implements AsyncDisposable {
  readonly #aside = new Map<Digest, string>();

  override path(digest: Digest): string {
    return this.#aside.get(digest) ?? super.path(digest);
  }

  get isEmpty(): boolean {
    return this.#aside.size === 0;
  }

  protected override readonly keep: KeepBlob = async (aside, digest) => {
    // Somebody may be reading the first one.
    if (this.#aside.has(digest)) await rm(aside);
    else this.#aside.set(digest, aside);
  };

  /** Takes over all that another one has: they are this one's to name or to remove. */
  take(other: IncomingBlobs): void {
    for (const [digest, aside] of other.#aside) {
      // Twice the same bytes: the other one removes its own.
      if (this.#aside.has(digest)) continue;
      this.#aside.set(digest, aside);
      other.#aside.delete(digest);
    }
  }

  /** Names them all, durably. Their bytes must be on the disk already: that is the caller's to see to. */
  async name(): Promise<void> {
    if (this.isEmpty) return;
    for (const [digest, aside] of this.#aside) {
      await rename(aside, join(this.directory, hexOf(digest)));
      this.#aside.delete(digest);
    }
    await syncDirectory(this.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const aside of this.#aside.values()) await rm(aside, { force: true });
    this.#aside.clear();
  }
}
