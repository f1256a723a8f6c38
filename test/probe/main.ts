// The table of what unions get wrong: `scripts/probe-semantics [--json] [COMMAND...]`. Without a
// command all known unions beside a plain directory; else the plain directory, ours and yours.

import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inInitialUserNamespace } from "../../src/sys/index.js";
import { type Answers, askSubject, makeLowers, removeFolder } from "./ask-subject.js";
import { rows } from "./index.js";
import { knownSubjects, PLAIN, type Subject, strataSubject } from "./subjects.js";

/** A Markdown table: a row for each question, a column for each subject; wrong answers in bold. */
function formatTable(columns: ReadonlyMap<string, Answers>, inNamespace: boolean): string {
  const head = ["", ...columns.keys()];
  const lines = rows.flatMap((row) => {
    const right = inNamespace ? row.rightInNamespace : row.right;
    if (right === undefined) return [];
    const answers = [...columns.values()].map((answer) => {
      const given = answer.get(row.name) ?? "";
      return given === right || given === "" ? given : `**${given}**`;
    });
    return [[row.name, ...answers]];
  });
  const rule = head.map(() => "---");
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function chosen(commands: readonly string[], inNamespace: boolean): readonly Subject[] {
  if (commands.length === 0) return knownSubjects(inNamespace);
  const own = commands.map((command, index) => ({ name: `command ${index + 1}`, command }));
  return [PLAIN, strataSubject(), ...own];
}

async function main(args: readonly string[]): Promise<void> {
  const json = args[0] === "--json";
  const inNamespace = !inInitialUserNamespace();
  const scratch = mkdtempSync(join(tmpdir(), "strata-probe-"));
  const columns = new Map<string, Answers>();
  try {
    const lowers = join(scratch, "lowers");
    mkdirSync(lowers);
    await makeLowers(lowers);
    for (const subject of chosen(json ? args.slice(1) : args, inNamespace)) {
      if (subject.missing !== undefined) {
        process.stderr.write(`skipped: ${subject.name}: needs ${subject.missing}\n`);
        continue;
      }
      try {
        columns.set(subject.name, await askSubject(subject, lowers, join(scratch, "subject")));
      } catch (error) {
        process.stderr.write(`skipped: ${subject.name}: ${String(error)}\n`);
      }
    }
  } finally {
    removeFolder(scratch);
  }
  const entries = [...columns].map(([name, answers]) => [name, Object.fromEntries(answers)]);
  process.stdout.write(
    json ? `${JSON.stringify(Object.fromEntries(entries))}\n` : formatTable(columns, inNamespace),
  );
}

await main(process.argv.slice(2));
