// What inspect returns.

import type { JsonObject } from "../oci/index.js";

/**
 * What a field may hold. Not `unknown`: a promise that nobody awaited is an empty object when printed.
 * JsonObject is what a document said, as it stands there.
 */
type Field = string | number | boolean | null | JsonObject | readonly Field[] | Inspection;

/** A JSON object ready to print, with docker's field names in docker's order. */
export type Inspection = { readonly [name: string]: Field };
