// Tables of fixed columns, in docker's spacing. Lists with --format TEMPLATE are listing.ts.

import { Option } from "commander";
import { aligned } from "./aligned.js";

/** --format of commands that list things; another word is refused. */
export function listFormat(): Option {
  return new Option("--format <format>", "as people or as programs read it")
    .choices(["table", "json"])
    .default("table");
}

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
}

/** The whole table with its head line, newline after each row. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => printable(cell(row)))),
  ];
  return aligned(lines.map((line) => `${line.join("\t")}\n`).join(""));
}

/** Control characters of a name must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) =>
    character === "\t" ? " " : "\ufffd",
  );
}

/** One JSON object a line, as docker's `--format json`. */
export function renderJsonLines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}
