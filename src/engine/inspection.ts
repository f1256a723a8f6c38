// What inspect returns.

import type { JsonObject } from "../oci/index.js";

/** A JSON object ready to print, with docker's field names in docker's order. */
export type Inspection = JsonObject;
