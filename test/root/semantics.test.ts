// The table of what unions get wrong, as a test: every answer of ours is the right one, as root and
// in a user namespace. A plain directory is asked too, which tells whether the questions are right.

import { deepStrictEqual, ok } from "node:assert/strict";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import { type Row, rows } from "../probe/index.js";

const program = fileURLToPath(new URL("../probe/main.js", import.meta.url));
const bin = fileURLToPath(new URL("../../../bin/strata-overlay", import.meta.url));
const options = {
  skip:
    needsRoot ||
    missing("python3", "unshare", "mount") ||
    (existsSync("/dev/fuse") ? false : "needs /dev/fuse"),
  timeout: 180_000,
};

/** The mount command of ours, with more options. */
function mountCommand(more: string): string {
  return `'${bin}' -o lowerdir="$LOWER",upperdir="$UPPER",workdir="$WORK"${more} "$ROOT"`;
}

type Columns = Readonly<Record<string, Readonly<Record<string, string>>>>;

async function probe(wrapper: readonly string[], commands: readonly string[]): Promise<Columns> {
  const [first = process.execPath, ...rest] = [...wrapper, process.execPath, program, "--json"];
  return JSON.parse(await run(first, [...rest, ...commands])) as Columns;
}

/** What is wrong in a column, as "question: answer". */
function wrongAnswers(
  columns: Columns,
  column: string,
  right: (row: Row) => string | undefined,
): string[] {
  const answers = columns[column];
  ok(answers !== undefined, `${column} was not asked: ${Object.keys(columns).join()}`);
  return rows.flatMap((row) => {
    if (column === "plain directory" && row.layered === true) return [];
    const expected = right(row);
    const given = answers[row.name];
    return expected === undefined || given === expected ? [] : [`${row.name}: ${given}`];
  });
}

/** Without metacopy=on the data follow when there is time: the answer depends on when it is asked. */
const COPIED = "chmod of a 256 MiB lower file copies: all";

function tellPeers(
  t: TestContext,
  columns: Columns,
  right: (row: Row) => string | undefined,
): void {
  for (const column of Object.keys(columns)) {
    t.diagnostic(`${column}: ${wrongAnswers(columns, column, right).length} wrong`);
  }
}

test("semantics: every answer is right, as root", options, async (t) => {
  const right = (row: Row): string => row.right;
  const columns = await probe([], [mountCommand(",metacopy=on")]);
  tellPeers(t, columns, right);
  deepStrictEqual(wrongAnswers(columns, "plain directory", right), []);
  const byDefault = wrongAnswers(columns, "strata", right);
  deepStrictEqual(
    byDefault.filter((answer) => answer !== COPIED),
    [],
  );
  deepStrictEqual(wrongAnswers(columns, "command 1", right), [], "with everything on");
});

test("semantics: every answer is right, in a user namespace", options, async (t) => {
  const right = (row: Row): string | undefined => row.rightInNamespace;
  const columns = await probe(["unshare", "-Urm"], []);
  tellPeers(t, columns, right);
  deepStrictEqual(wrongAnswers(columns, "plain directory", right), []);
  deepStrictEqual(
    wrongAnswers(columns, "strata", right).filter((answer) => answer !== COPIED),
    [],
  );
});
