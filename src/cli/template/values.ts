// How Go sees the values that templates work on. A plain object is a struct with known fields (one
// that it has not is an error), a Map is a Go map (a key that it has not is "<no value>"). An object with
// a toString() of its own is a struct with a String(), and toJSON() is what it is in JSON.

/** A row's field that takes arguments, as docker's `{{.Label "key"}}`. */
export type Method = (...parameters: readonly unknown[]) => unknown;

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map)
  );
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

export function isMap(value: unknown): value is ReadonlyMap<string, unknown> {
  return value instanceof Map;
}

/** What the value's type is called in Go. */
export function typeName(value: unknown): string {
  if (value === undefined || value === null) return "untyped nil";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return isList(value) ? "[]interface {}" : "map[string]interface {}";
}

/** Keys and values of a map or struct, by key, as Go prints and walks maps. */
export function sortedEntries(value: ReadonlyMap<string, unknown> | Fields): [string, unknown][] {
  const entries = isMap(value) ? [...value] : Object.entries(value);
  return entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** What `if`, `and`, `or` and `not` ask: nothing empty is true. */
export function isTrue(value: unknown): boolean {
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return value.size > 0;
  return isFields(value) ? Object.keys(value).length > 0 : Boolean(value);
}

/** As %v prints it: `[a b]`, `map[k:v]`. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return "<nil>";
  if (typeof value === "number") return shownNumber(value);
  if (isList(value)) return `[${value.map(shown).join(" ")}]`;
  if (isFields(value) && value.toString !== Object.prototype.toString) return String(value);
  if (isFields(value) && Object.keys(value).length === 0) return "{}";
  if (isMap(value) || isFields(value)) {
    return `map[${sortedEntries(value)
      .map(([key, inner]) => `${key}:${shown(inner)}`)
      .join(" ")}]`;
  }
  return String(value);
}

/** What an action puts out. */
export function printed(value: unknown): string {
  return value === undefined || value === null ? "<no value>" : shown(value);
}

/** %v of an int or a float64, which is written with an exponent of two digits where it has six or more. */
function shownNumber(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const text = value.toExponential();
  const exponent = Number(text.slice(text.indexOf("e") + 1));
  if (exponent >= -4 && exponent < 6) return String(value);
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/** As docker's `json` writes it: no escaping of <, > and &; maps by key. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(plain(value)) ?? "null";
}

function plain(value: unknown): unknown {
  if (isList(value)) return value.map(plain);
  if (isMap(value)) {
    return Object.fromEntries(sortedEntries(value).map(([key, inner]) => [key, plain(inner)]));
  }
  if (!isFields(value)) return value;
  const { toJSON } = value;
  if (typeof toJSON === "function") return plain(toJSON.call(value) as unknown);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
