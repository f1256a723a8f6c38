// SQLite in a database of a lower layer, in both of its journal modes: the mount process or the writer
// is killed at any moment, and every transaction that was committed is there, in a sound database.
//
//   STRATA_TEST_KILLS=40 for more of it; STRATA_TEST_SEED repeats a run.

import { equal, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import { freshSeed, seededRandom } from "../e2e/seeded-random.js";
import { MountedStack } from "./mounted-stack.js";

const KILLS = Number(process.env["STRATA_TEST_KILLS"] ?? 6);
const TRANSACTIONS = 20_000;
const options = {
  skip:
    needsRoot ||
    missing("sqlite3", "umount") ||
    (existsSync("/dev/fuse") ? false : "needs /dev/fuse"),
  timeout: 60_000 + KILLS * 20_000,
};

/** A database of some megabytes, half of which the writer will change; rows 1 to 4000. */
const SCHEMA = `
CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT, pad BLOB);
CREATE INDEX tv ON t(v);
CREATE TABLE last(k INTEGER);
WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 4000)
INSERT INTO t SELECT k, 'row ' || k, randomblob(500) FROM n;
INSERT INTO last VALUES (4000);
`;

/** Each transaction changes old rows and adds one, and is told when it is committed. */
function transactions(first: number, journal: string): string {
  const lines = [`PRAGMA journal_mode=${journal};`, "PRAGMA synchronous=FULL;"];
  for (let k = first; k < first + TRANSACTIONS; k += 1) {
    lines.push(
      "BEGIN IMMEDIATE;",
      `INSERT INTO t VALUES (${k}, 'row ' || ${k}, randomblob(700));`,
      `UPDATE t SET pad = randomblob(500) WHERE k = ${1 + ((k * 7919) % 4000)};`,
      `UPDATE last SET k = ${k};`,
      "COMMIT;",
      `SELECT 'done ' || ${k};`,
    );
  }
  return lines.join("\n");
}

/** Writes until it is killed, or its file system is; the last transaction that it was told of. */
async function writeUntilKilled(database: string, input: string, kill: () => Promise<void>) {
  const child = spawn("sqlite3", ["-batch", "-bail", database], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(input);
  let told = 0;
  let rest = "";
  child.stdout.on("data", (chunk: Buffer) => {
    const lines = `${rest}${chunk.toString()}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("done ")) told = Number(line.slice(5));
  });
  const closed = once(child, "close");
  await kill();
  // The writer of a dead mount ends by itself.
  child.kill("SIGKILL");
  await closed;
  return told;
}

async function query(database: string, sql: string): Promise<string> {
  return (await run("sqlite3", ["-batch", database, sql])).trim();
}

for (const journal of ["WAL", "DELETE"]) {
  test(`sqlite: ${journal} journal in a lower layer, killed`, options, async (t) => {
    const seed = freshSeed();
    t.diagnostic(`STRATA_TEST_SEED=${seed}`);
    const random = seededRandom(seed);
    await using stack = new MountedStack();
    const database = join(stack.target, "test.db");
    const made = join(stack.lower, "test.db");
    await query(made, `PRAGMA journal_mode=${journal};${SCHEMA}`);
    await stack.mount();
    let last = 4000;
    for (let n = 0; n < KILLS; n += 1) {
      const killsMount = random.below(2) === 0;
      const told = await writeUntilKilled(database, transactions(last + 1, journal), async () => {
        await new Promise((resolve) => setTimeout(resolve, 30 + random.below(700)));
        if (killsMount) await stack.kill();
      });
      if (killsMount) await stack.mount();
      t.diagnostic(`${killsMount ? "mount" : "writer"} killed after transaction ${told}`);
      equal(await query(database, "PRAGMA integrity_check"), "ok");
      const found = Number(await query(database, "SELECT k FROM last"));
      ok(found >= told, `transaction ${told} was committed, and the last is ${found}`);
      const count = await query(database, "SELECT count(*) || ' ' || max(k) FROM t");
      equal(count, `${found} ${found}`, "all rows are there");
      last = found;
    }
    ok(last > 4000, "some transactions were done");
    await stack.remount();
    equal(await query(database, "PRAGMA integrity_check"), "ok");
    equal(Number(await query(database, "SELECT count(*) FROM t")), last);
    equal(await query(made, "PRAGMA integrity_check; SELECT count(*) FROM t"), "ok\n4000");
  });
}
