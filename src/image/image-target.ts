// What loading and importing need of a store. The store of store/ has this shape; image/ must not
// import it, because both stand side by side below the engine.

import type { ChainId, DiffId, Digest } from "../digest.js";
import type { Descriptor, Reference } from "../oci/index.js";
import type { Image } from "./image.js";

/** A blob by its content. */
export interface StoredBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** A lock that is let go when it is disposed of. */
export interface Lease extends AsyncDisposable {
  release(): Promise<void>;
}

/** What was said of a blob; what is absent is not checked. */
export interface Expectation {
  readonly digest?: Digest;
  readonly sizeBytes?: number;
}

/** Blobs and layers that come in one by one and appear together; disposing of it removes what has not. */
export interface LayersOnTheirWay extends BlobTarget, AsyncDisposable {
  /** In the order of the stack; others may be under way still. */
  add(request: {
    readonly diffIds: readonly DiffId[];
    open(): AsyncIterable<Uint8Array>;
    readonly blob?: Digest;
    readonly progress?: (doneBytes: number) => void;
  }): Promise<boolean>;
  publish(): Promise<void>;
}

/** Where blobs go, and where they are read again at once. */
export interface BlobTarget {
  readonly blobs: {
    has(digest: Digest): Promise<boolean>;
    size(digest: Digest): Promise<number>;
    put(source: AsyncIterable<Uint8Array>, expected?: Expectation): Promise<StoredBlob>;
    putBytes(bytes: Uint8Array, expected?: Expectation): Promise<StoredBlob>;
    stream(digest: Digest, options?: { readonly verify?: boolean }): AsyncIterable<Uint8Array>;
    readBytes(digest: Digest, limitBytes: number): Promise<Uint8Array>;
  };
}

/** Where images go. */
export interface ImageTarget extends BlobTarget {
  readonly lock: {
    acquire(mode: "shared" | "exclusive", options?: { readonly waitMs?: number }): Promise<Lease>;
  };
  readonly references: {
    set(reference: Reference, descriptor: Descriptor): Promise<void>;
    tag(reference: Reference, descriptor: Descriptor): Promise<void>;
    keep(descriptor: Descriptor): Promise<void>;
  };
  readonly layers: {
    has(chainId: ChainId): Promise<boolean>;
    batch(): Promise<LayersOnTheirWay>;
  };
  collectGarbage(options?: { readonly waitMs?: number }): Promise<unknown>;
}

/** An image of the target, with what its names need. */
export interface NamedImage {
  readonly image: Image;
  readonly references: readonly Reference[];
}
