// --filter of commands that list or prune: "name=value" texts, docker's names and refusals.
// https://github.com/moby/moby (filters/parse.go), https://github.com/docker/cli (opts/opts.go)

import { EngineError } from "../errors.js";

/** The values by name, in the order they were given. */
export type Filters = ReadonlyMap<string, readonly string[]>;

function refuse(text: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", text);
}

/** Throws EngineError INVALID_ARGUMENT for what is no "name=value" or none of the names. */
export function parseFilters(texts: readonly string[], names: readonly string[]): Filters {
  const filters = new Map<string, string[]>();
  for (const text of texts) {
    const equals = text.indexOf("=");
    if (equals < 0) {
      throw refuse(
        `invalid argument "${text}" for "-f, --filter" flag: bad format of filter (expected name=value)`,
      );
    }
    const name = text.slice(0, equals).trim().toLowerCase();
    if (!names.includes(name)) throw refuse(`invalid filter '${name}'`);
    filters.set(name, [...(filters.get(name) ?? []), text.slice(equals + 1).trim()]);
  }
  return filters;
}

/** The truth of a filter such as "dangling=true"; undefined when it is not given. Throws EngineError INVALID_ARGUMENT. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters.get(name);
  if (values === undefined) return undefined;
  const truths = new Set(
    values.map((value) => {
      if (/^(1|true)$/i.test(value)) return true;
      if (/^(0|false)$/i.test(value)) return false;
      throw refuse(`invalid filter '${name}=${value}'`);
    }),
  );
  if (truths.size === 1) return truths.has(true);
  throw refuse(`invalid filter '${name}=[${values.join(" ")}]'`);
}

/** True when all of "key" and "key=value" hold of the labels. */
export function matchesLabels(
  wanted: readonly string[] = [],
  labels: ReadonlyMap<string, string>,
): boolean {
  return wanted.every((text) => {
    const equals = text.indexOf("=");
    if (equals < 0) return labels.has(text);
    return labels.get(text.slice(0, equals)) === text.slice(equals + 1);
  });
}

const SECONDS: Readonly<Record<string, number>> = {
  h: 3600,
  m: 60,
  s: 1,
  ms: 1e-3,
  us: 1e-6,
  ns: 1e-9,
};

/**
 * A point in time as docker's "until" takes it: how long ago ("24h", "1h30m"), seconds since 1970, or
 * a date of RFC 3339, without zone in local time. Throws EngineError INVALID_ARGUMENT.
 */
export function parseTime(text: string, now = new Date()): Date {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join("") === text) {
    const seconds = parts.reduce(
      (sum, [, count, unit = ""]) => sum + Number(count) * (SECONDS[unit] ?? 0),
      0,
    );
    return new Date(now.getTime() - seconds * 1000);
  }
  if (/^\d+(\.\d+)?$/.test(text)) return new Date(Number(text) * 1000);
  const date = /^\d{4}-\d\d-\d\d(T\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const [, time, minutes] = date ?? [];
  // Date takes neither an hour alone nor, as local time, a day alone.
  const whole = time === undefined ? `${text}T00:00:00` : text;
  const parsed = new Date(minutes === undefined && time !== undefined ? fullHour(whole) : whole);
  if (date !== null && !Number.isNaN(parsed.getTime())) return parsed;
  throw refuse(`invalid value for 'until' filter: cannot parse "${text}" as a time`);
}

function fullHour(text: string): string {
  return text.replace(/T(\d\d)/, "T$1:00");
}
