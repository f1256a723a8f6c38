// tag: one more name for an image.

import type { Reference } from "../oci/index.js";
import type { Store } from "../store/index.js";
import { targetReference } from "./target-reference.js";

export interface TagRequest {
  /** A reference, an image ID or the start of one. */
  readonly image: string;
  readonly reference: string;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT. */
export async function tag(store: Store, request: TagRequest): Promise<Reference> {
  const reference = targetReference(request.reference);
  await using _lock = await store.lock.acquire("shared");
  const image = await store.resolve(request.image);
  await store.references.tag(reference, image.descriptor);
  return reference;
}
