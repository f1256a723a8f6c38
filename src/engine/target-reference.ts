// The name that a verb gives to an image: a reference with a tag and without a digest.

import { EngineError } from "../errors.js";
import { parseReference, type Reference } from "../oci/index.js";

/** Throws EngineError INVALID_ARGUMENT: a digest is what an image is, not what it can be called. */
export function targetReference(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest === undefined) return reference;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot tag "${text}": refusing to create a tag with a digest reference`,
  );
}
