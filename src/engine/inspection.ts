// What inspect returns.

/** A JSON object ready to print, with docker's field names in docker's order. */
export type Inspection = Readonly<Record<string, unknown>>;
