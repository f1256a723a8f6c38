// Checked reading of untrusted JSON: documents of the image formats come from archives, registries
// and disks. Every reader names the document and the field in its error. null is read as absent.

import { EngineError } from "../errors.js";

/** Whatever JSON can say. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** A JSON object as parsed: nothing is known of its fields. */
export type JsonObject = { readonly [key: string]: JsonValue };

/** Largest manifest, index or config that is read: 4 MiB, the limit that registries apply too. */
export const DOCUMENT_LIMIT_BYTES = 4 * 1024 * 1024;

/** Far beyond any document, far below what recursive readers and writers can stand. */
const DEEPEST = 256;
const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\[]{}');

/** True when lists and objects stand in each other deeper than `limit`; strings are skipped. */
function isNestedBeyond(bytes: Uint8Array, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let n = 0; n < bytes.length; n++) {
    const byte = bytes[n];
    if (byte === QUOTE) inString = !inString;
    else if (inString) n += byte === BACKSLASH ? 1 : 0;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1;
    if (depth > limit) return true;
  }
  return false;
}

function refuse(title: string, state: string): EngineError {
  return new EngineError("DATA_LOSS", `Cannot read "${title}": ${state}`);
}

/**
 * The JSON value of these exact bytes, which must be UTF-8. `title` is the object in messages.
 * Throws EngineError DATA_LOSS for what is no JSON or has more than `limitBytes`.
 */
export function parseJson(
  bytes: Uint8Array,
  title: string,
  limitBytes = DOCUMENT_LIMIT_BYTES,
): unknown {
  if (bytes.byteLength > limitBytes) {
    throw refuse(title, `${bytes.byteLength} bytes are more than a document may have`);
  }
  if (isNestedBeyond(bytes, DEEPEST)) throw refuse(title, "it is nested too deep");
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    throw refuse(title, "it is not valid JSON");
  }
}

/** True for an object that is neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One object of a document, with readers that check the type of what they return. */
export class JsonFields {
  readonly raw: JsonObject;
  readonly #title: string;

  constructor(value: unknown, title: string) {
    if (!isJsonObject(value)) throw refuse(title, "it is not a JSON object");
    this.raw = value;
    this.#title = title;
  }

  /** The own field `key`; null is absent, and so is what only the prototype has. */
  get(key: string): unknown {
    return Object.hasOwn(this.raw, key) ? (this.raw[key] ?? undefined) : undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  string(key: string): string | undefined {
    const value = this.get(key);
    if (value === undefined || typeof value === "string") return value;
    throw refuse(this.#title, `"${key}" is not a string`);
  }

  requiredString(key: string): string {
    const value = this.string(key);
    if (value === undefined) throw this.missing(key);
    return value;
  }

  boolean(key: string): boolean {
    const value = this.get(key) ?? false;
    if (typeof value === "boolean") return value;
    throw refuse(this.#title, `"${key}" is not true or false`);
  }

  /** A whole number, 0 or more, that a double holds exactly. */
  count(key: string): number | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw refuse(this.#title, `"${key}" is not a whole number`);
  }

  list(key: string): readonly unknown[] {
    const value = this.get(key) ?? [];
    if (Array.isArray(value)) return value as readonly unknown[];
    throw refuse(this.#title, `"${key}" is not a list`);
  }

  strings(key: string): readonly string[] {
    const list = this.list(key);
    if (list.every((item): item is string => typeof item === "string")) return list;
    throw refuse(this.#title, `"${key}" is not a list of strings`);
  }

  /** The object in `key`; an empty one when it is absent. */
  object(key: string): JsonFields {
    return new JsonFields(this.get(key) ?? {}, `${this.#title}: ${key}`);
  }

  /** A map of strings to strings; empty when absent. */
  stringMap(key: string): ReadonlyMap<string, string> {
    const map = new Map<string, string>();
    for (const [name, value] of Object.entries(this.object(key).raw)) {
      if (typeof value !== "string") throw refuse(this.#title, `"${key}" holds more than strings`);
      map.set(name, value);
    }
    return map;
  }

  missing(key: string): EngineError {
    return refuse(this.#title, `"${key}" is missing`);
  }
}
