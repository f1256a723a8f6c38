// The process that asks: a process of its own, because a mount that hangs must not take the test or
// the table with it. Says each answer at once, as one line of JSON [index, answer].
//
//   node ask-rows.js prepare FOLDER           the lower layers: FOLDER/{base,middle,top}
//   node ask-rows.js plain FOLDER             one directory with everything that is not layered
//   node ask-rows.js ask|again ROOT BASE STORAGE NOTES

import { existsSync, mkdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Place } from "../conformance/place.js";
import { type Asked, type Row, rows } from "./index.js";

function prepare(folder: string): void {
  for (const [index, row] of rows.entries()) {
    const [base, middle, top] = ["base", "middle", "top"].map((layer) => {
      const path = join(folder, layer, String(index));
      mkdirSync(path, { recursive: true });
      return new Place(path);
    });
    if (base === undefined || middle === undefined || top === undefined) return;
    row.prepare({ base, middle, top });
  }
}

function preparePlain(folder: string): void {
  for (const [index, row] of rows.entries()) {
    const path = join(folder, String(index));
    mkdirSync(path, { recursive: true });
    const place = new Place(path);
    if (row.layered !== true) row.prepare({ base: place, middle: place, top: place });
  }
}

function answerOf(row: Row, asked: Asked, again: boolean): string | undefined {
  try {
    return again ? row.askAgain?.(asked) : row.ask(asked);
  } catch (error) {
    return error instanceof Error ? (error.message.split("\n")[0] ?? "fails") : String(error);
  } finally {
    asked.mounted.closeAll();
    asked.base.closeAll();
  }
}

function ask(again: boolean, root: string, base: string, storage: string, file: string): void {
  process.umask(0o022);
  const stored = existsSync(file) ? readFileSync(file, "utf8") : "[]";
  const notes = JSON.parse(stored) as [string, [string, string][]][];
  const byRow = new Map(notes);
  for (const [index, row] of rows.entries()) {
    const noted = new Map(byRow.get(row.name));
    const asked: Asked = {
      mounted: new Place(join(root, String(index))),
      base: new Place(join(base, String(index))),
      storage,
      notes: noted,
    };
    const answer = answerOf(row, asked, again);
    byRow.set(row.name, [...noted]);
    if (answer !== undefined) writeSync(1, `${JSON.stringify([index, answer])}\n`);
  }
  writeFileSync(file, JSON.stringify([...byRow]));
}

function main(command: string | undefined, args: readonly string[]): void {
  const [first = "", base = "", storage = "", notes = ""] = args;
  if (command === "prepare") prepare(first);
  else if (command === "plain") preparePlain(first);
  else ask(command === "again", first, base, storage, notes);
}

main(process.argv[2], process.argv.slice(3));
