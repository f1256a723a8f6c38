// Lists as docker prints them by --format: "table", "table TEMPLATE", "json", "raw" where docker has that, or a
// template for each row.
// https://github.com/docker/cli/blob/master/cli/command/formatter/formatter.go

import { Option } from "commander";
import { aligned } from "./aligned.js";
import { printable } from "./table.js";
import { jsonOf, type Method, parseTemplate } from "./template/index.js";

/** What one kind of rows has to show. */
export interface Listing<Row> {
  /** The fields of a row and their titles in a table's head line. */
  readonly titles: Readonly<Record<string, string>>;
  /** A value for each of the titles, and methods ("Label") for `{{.Label "key"}}`. */
  readonly fields: (row: Row) => Readonly<Record<string, unknown>>;
  /** What "table" by itself means: "{{.ID}}\t{{.Size}}". */
  readonly table: string;
  /** What "raw" means, lines of "name: value"; without it the word is a template like any other. */
  readonly raw?: string;
}

/** --format of commands that list things. */
export function formatOption(): Option {
  return new Option(
    "--format <format>",
    'a Go template for each row, "table TEMPLATE" for columns, "table" or "json"',
  ).default("table");
}

const TABLE = "table";

/** The whole output. Throws EngineError INVALID_ARGUMENT for a template that is wrong. */
export function renderListing<Row>(
  listing: Listing<Row>,
  rows: readonly Row[],
  format = TABLE,
): string {
  if (format === "json") return rows.map((row) => `${jsonRow(listing.fields(row))}\n`).join("");
  const isTable = format.startsWith(TABLE);
  const wanted = isTable
    ? ownTable(listing, format)
    : format === "raw"
      ? (listing.raw ?? format)
      : format;
  // Both are done to the whole text, also within {{ }}.
  const text = wanted
    .replace(/^ +| +$/g, "")
    .replaceAll("\\t", "\t")
    .replaceAll("\\n", "\n");
  const template = parseTemplate(text);
  const names = Object.keys(listing.titles);
  const missing = (field: string) =>
    `can't evaluate field ${field}; the fields are ${names.join(", ")}`;
  const lines = rows.map((row) => {
    const fields = fieldsOf(listing, row);
    return `${template.render(isTable ? cellsOf(fields) : fields, { missing })}\n`;
  });
  if (!isTable) return lines.join("");
  const titles = { ...listing.titles, Label: titleOfLabel };
  const head = template.render(titles, { missing, forHeader: true });
  return aligned([`${head}\n`, ...lines].join(""));
}

/** A row for a template, by name: so `{{json .}}` writes it as docker does. */
export function fieldsOf<Row>(listing: Listing<Row>, row: Row): Readonly<Record<string, unknown>> {
  const byName = Object.entries(listing.fields(row)).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(byName);
}

function ownTable<Row>({ table }: Listing<Row>, format: string): string {
  return format === TABLE ? table : format.slice(TABLE.length);
}

/** Control characters must neither reach the terminal nor make columns. */
function cellsOf(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, cellOf(value)]));
}

function cellOf(value: unknown): unknown {
  if (typeof value === "string") return printable(value);
  if (typeof value !== "function") return value;
  const method = value as Method;
  return (...parameters: readonly unknown[]) => cellOf(method(...parameters));
}

/** "com.example.web-tier" is headed "web tier". */
function titleOfLabel(key: unknown): string {
  return String(key).split(".").at(-1)?.replace(/[-_]/g, " ") ?? "";
}

/** By name, without the methods, as docker's. */
function jsonRow(fields: Readonly<Record<string, unknown>>): string {
  const values = Object.entries(fields).filter(([, value]) => typeof value !== "function");
  return jsonOf(new Map(values));
}
