// How docker writes sizes, ages and identifiers.
// https://github.com/docker/go-units (HumanSizeWithPrecision, HumanDuration)

import { type Digest, hexOf } from "../digest.js";

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Decimal units, 3 significant digits as docker's lists have them ("77.9MB"); its sums have 4. */
export function humanSize(sizeBytes: number, digits = 3): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(digits))}${UNITS[unit]}`;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "About an hour", "3 weeks": without "ago". */
export function humanDuration(seconds: number): string {
  const hours = Math.round(seconds / HOUR);
  if (seconds < 1) return "Less than a second";
  if (seconds < 2) return "1 second";
  if (seconds < MINUTE) return `${Math.floor(seconds)} seconds`;
  if (seconds < 2 * MINUTE) return "About a minute";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / DAY / 365)} years`;
}

/** "2 hours ago"; "N/A" where the image says nothing. */
export function ago(time: Date | undefined, now = Date.now()): string {
  if (time === undefined || Number.isNaN(time.getTime())) return "N/A";
  return `${humanDuration((now - time.getTime()) / 1000)} ago`;
}

/** The 12 digits that people see; the whole digest with `full`. */
export function shownId(digest: Digest, full: boolean): string {
  return full ? digest : hexOf(digest).slice(0, 12);
}

/** A column's text cut to a width, as docker cuts CREATED BY. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** As Go prints a time: "2026-01-31 12:00:00 +0100 CET"; "N/A" where the image says nothing. */
export function goTime(time: Date | undefined): string {
  if (time === undefined || Number.isNaN(time.getTime())) return "N/A";
  const minutes = -time.getTimezoneOffset();
  const local = new Date(time.getTime() + minutes * 60_000).toISOString();
  const digits = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const offset = `${minutes < 0 ? "-" : "+"}${digits(Math.abs(minutes) / 60)}${digits(Math.abs(minutes) % 60)}`;
  const zone = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" })
    .formatToParts(time)
    .find(({ type }) => type === "timeZoneName");
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${offset} ${zone?.value ?? offset}`;
}
