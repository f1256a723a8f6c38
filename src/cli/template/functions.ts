// The functions of templates: Go's own and those that docker adds.
// https://pkg.go.dev/text/template#hdr-Functions; docker/cli templates/templates.go
// "and" and "or" are the evaluator's, because they stop early.

import { sprint, sprintf, sprintln } from "./printf.js";
import { isFields, isList, isMap, isTrue, jsonOf, shown, typeName } from "./values.js";

/** What a function refuses; the evaluator says where. */
export class FunctionError extends Error {}

/** An argument of a type that the function does not take. */
export class ArgumentError extends FunctionError {
  readonly value: unknown;
  readonly wanted: string;

  constructor(value: unknown, wanted: string) {
    const type = wanted === "integer" ? "int" : wanted;
    super(`wrong type for value; expected ${type}; got ${typeName(value)}`);
    this.value = value;
    this.wanted = wanted;
  }
}

type TemplateFunction = (...parameters: readonly unknown[]) => unknown;

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw new ArgumentError(value, "string");
}

function countOf(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value)) return value;
  throw new ArgumentError(value, "integer");
}

/** A key of a list, for "index" or "slice". */
function positionOf(value: unknown, name: string): number {
  if (typeof value === "number" && Number.isInteger(value)) return value;
  throw new FunctionError(
    `error calling ${name}: cannot index slice/array with type ${typeName(value)}`,
  );
}

/** An empty list of docker's is null in JSON: it has no elements. */
function lengthOf(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === "string") return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  if (isMap(value)) return value.size;
  if (isFields(value)) return Object.keys(value).length;
  throw new FunctionError(`error calling len: len of type ${typeName(value)}`);
}

function indexOne(value: unknown, key: unknown): unknown {
  if (isMap(value)) return value.get(textOf(key)) ?? "";
  if (isFields(value)) {
    const name = textOf(key);
    return Object.hasOwn(value, name) ? value[name] : undefined;
  }
  if (value === undefined || value === null) {
    throw new FunctionError("error calling index: index of untyped nil");
  }
  const items = typeof value === "string" ? [...Buffer.from(value)] : value;
  if (!isList(items)) {
    throw new FunctionError(`error calling index: can't index item of type ${typeName(value)}`);
  }
  const at = positionOf(key, "index");
  if (at >= 0 && at < items.length) return items[at];
  throw new FunctionError("error calling index: reflect: slice index out of range");
}

function sliceOf(value: unknown, ...ends: readonly unknown[]): unknown {
  if (typeof value !== "string" && !isList(value)) {
    throw new FunctionError(`error calling slice: can't slice item of type ${typeName(value)}`);
  }
  const [from = 0, to = value.length] = ends.map((end) => positionOf(end, "slice"));
  if (ends.length > 2) throw new FunctionError("error calling slice: too many slice indexes: 3");
  const wrong = [from, to].find((end) => end < 0 || end > value.length);
  if (wrong !== undefined) {
    throw new FunctionError(`error calling slice: index out of range: ${wrong}`);
  }
  if (from > to) {
    throw new FunctionError(`error calling slice: invalid slice index: ${from} > ${to}`);
  }
  return value.slice(from, to);
}

type Basic = string | number | boolean;

function basic(value: unknown, name: string): Basic {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return value;
  }
  throw new FunctionError(
    `error calling ${name}: non-comparable type ${shown(value)}: ${typeName(value)}`,
  );
}

/** Negative, 0, positive. Only values of one kind can be compared. */
function compare(name: string, first: unknown, second: unknown): number {
  if (name === "eq" || name === "ne") {
    if (first === undefined || first === null || second === undefined || second === null) {
      return (first ?? null) === (second ?? null) ? 0 : 1;
    }
  }
  const [a, b] = [basic(first, name), basic(second, name)];
  if (typeof a !== typeof b) {
    throw new FunctionError(
      `error calling ${name}: incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`,
    );
  }
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function comparison(name: string, test: (order: number) => boolean): TemplateFunction {
  return (first, second) => test(compare(name, first, second));
}

/** True when the first equals any of the others. */
function equals(first: unknown, ...others: readonly unknown[]): boolean {
  if (others.length === 0) {
    throw new FunctionError("error calling eq: missing argument for comparison");
  }
  return others.some((other) => compare("eq", first, other) === 0);
}

function pad(value: unknown, before: unknown, after: unknown): string {
  const text = textOf(value);
  if (text === "") return text;
  return " ".repeat(countOf(before)) + text + " ".repeat(countOf(after));
}

function join(list: unknown, separator: unknown): string {
  const between = textOf(separator);
  if (list === undefined || list === null) return "";
  if (!isList(list)) throw new ArgumentError(list, "[]string");
  return list.map(shown).join(between);
}

/** Functions with the least and the largest number of their arguments. */
const FUNCTIONS: Readonly<Record<string, readonly [TemplateFunction, number, number]>> = {
  not: [(value) => !isTrue(value), 1, 1],
  len: [lengthOf, 1, 1],
  index: [(value, ...keys) => keys.reduce(indexOne, value), 1, Infinity],
  slice: [sliceOf, 1, Infinity],
  print: [sprint, 0, Infinity],
  println: [sprintln, 0, Infinity],
  printf: [(form, ...values) => sprintf(textOf(form), values), 1, Infinity],
  eq: [equals, 1, Infinity],
  ne: [comparison("ne", (order) => order !== 0), 2, 2],
  lt: [comparison("lt", (order) => order < 0), 2, 2],
  le: [comparison("le", (order) => order <= 0), 2, 2],
  gt: [comparison("gt", (order) => order > 0), 2, 2],
  ge: [comparison("ge", (order) => order >= 0), 2, 2],
  html: [(...values) => escapeHtml(sprint(...values)), 1, Infinity],
  urlquery: [
    (...values) => encodeURIComponent(sprint(...values)).replace(/%20/g, "+"),
    1,
    Infinity,
  ],
  json: [jsonOf, 1, 1],
  split: [(value, by) => textOf(value).split(textOf(by)), 2, 2],
  join: [join, 2, 2],
  title: [(value) => textOf(value).replace(/(?<![\p{L}\p{Nd}_'])\p{L}/gu, upperCase), 1, 1],
  lower: [(value) => textOf(value).toLowerCase(), 1, 1],
  upper: [(value) => upperCase(textOf(value)), 1, 1],
  pad: [pad, 3, 3],
  truncate: [(value, length) => textOf(value).slice(0, countOf(length)), 2, 2],
};

function upperCase(text: string): string {
  return text.toUpperCase();
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&#34;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}

export const FUNCTION_NAMES: ReadonlySet<string> = new Set([
  ...Object.keys(FUNCTIONS),
  "and",
  "or",
]);

/** In the head line of a table these leave a column's title as it is (docker's HeaderFunctions). */
const IDENTITY_IN_HEADERS = ["json", "join", "title", "lower", "upper", "truncate", "split"];

/** Calls a function. Throws FunctionError for arguments that it does not take. */
export function callFunction(
  name: string,
  parameters: readonly unknown[],
  forHeader: boolean,
): unknown {
  const [run, least, most] = FUNCTIONS[name] ?? [() => undefined, 0, 0];
  const count = parameters.length;
  if (count < least || count > most) {
    const want = most === Infinity ? `at least ${least}` : `${least}`;
    throw new FunctionError(`wrong number of args for ${name}: want ${want} got ${count}`);
  }
  if (forHeader && IDENTITY_IN_HEADERS.includes(name)) return parameters[0];
  return run(...parameters);
}
