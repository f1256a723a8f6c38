// sha256 identities of the OCI formats. A digest is always taken over exact bytes.
// https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests

import { createHash } from "node:crypto";
import { EngineError } from "./errors.js";

declare const digestBrand: unique symbol;
declare const diffIdBrand: unique symbol;
declare const chainIdBrand: unique symbol;

/** "sha256:" and 64 lower-case hex digits: the identity of a blob as it is stored or sent. */
export type Digest = string & { readonly [digestBrand]: true };

/** The digest of a layer's uncompressed tar (config.rootfs.diff_ids). */
export type DiffId = Digest & { readonly [diffIdBrand]: true };

/** The identity of a whole stack of layers, base first (image-spec, "Layer ChainID"). */
export type ChainId = Digest & { readonly [chainIdBrand]: true };

const form = /^sha256:[0-9a-f]{64}$/;

/** True for a well-formed sha256 digest. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && form.test(text);
}

/** A checked digest; throws EngineError INVALID_ARGUMENT when the text is none. */
export function parseDigest(text: unknown): Digest {
  if (isDigest(text)) return text;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot use "${String(text)}": it is not a sha256 digest`,
  );
}

/** The digest of these exact bytes. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

/** The 64 hex digits of a digest: its file name under blobs/sha256/. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/**
 * The chain IDs of a stack, base first: out[0] = layers[0], out[n] = sha256(out[n-1] + " " + layers[n]).
 * https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
 */
export function chainIds(layers: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of layers) {
    const below = chain.at(-1);
    const own = below === undefined ? diffId : digestOf(`${below} ${diffId}`);
    chain.push(own as Digest as ChainId);
  }
  return chain;
}
