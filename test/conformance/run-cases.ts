// The process that runs cases: `node run-cases.js ROOT given|make [N...]`, all of them or those.
// Case number N works in ROOT/N, where the fixture is ("given") or is made first ("make"). One line
// of JSON before and one after each case tells the watching process where we are. Not here: judging
// the results.

import { existsSync, mkdirSync } from "node:fs";
import { POLLOUT, poll, write } from "../../src/sys/index.js";
import type { Case } from "./case.js";
import { makePlain } from "./fixture.js";
import { conformanceCases } from "./index.js";

/** What is told of a case: that it begins, and how it ended. */
export type Progress =
  | { readonly index: number; readonly state: "begin" | "passed" }
  | { readonly index: number; readonly state: "failed" | "skipped"; readonly reason: string };

/** The folder of a case below ROOT. */
export function caseFolder(root: string, index: number): string {
  return `${root}/${String(index).padStart(3, "0")}`;
}

function tell(progress: Progress): void {
  const line = Buffer.from(`${JSON.stringify(progress)}\n`);
  for (let done = 0; done < line.byteLength; ) {
    // The pipe of a child process may be non-blocking: wait for room, whoever reads is just busy.
    poll([{ fd: 1, events: POLLOUT }], -1);
    done += write(1, line, done, line.byteLength - done);
  }
}

function runCase(subject: Case, index: number, directory: string, make: boolean): void {
  tell({ index, state: "begin" });
  if (subject.needs !== undefined && !existsSync(`/usr/bin/${subject.needs}`)) {
    tell({ index, state: "skipped", reason: `needs ${subject.needs}` });
    return;
  }
  try {
    if (make) {
      mkdirSync(directory);
      makePlain(directory, subject.extra);
    }
    subject.run(directory);
    tell({ index, state: "passed" });
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tell({ index, state: "failed", reason });
  }
}

function main(root: string, how: string, only: readonly string[]): void {
  process.umask(0o022);
  for (const [index, subject] of conformanceCases.entries()) {
    if (only.length > 0 && !only.includes(String(index))) continue;
    runCase(subject, index, caseFolder(root, index), how === "make");
  }
}

const [, script = "", root, how, ...only] = process.argv;
if (script.endsWith("run-cases.js") && root !== undefined && how !== undefined) {
  main(root, how, only);
}
