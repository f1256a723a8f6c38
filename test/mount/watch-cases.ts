// Runs the conformance cases in a process of their own and watches it: a case that hangs is ended,
// and told as failed. Tests of any subject use this; it knows nothing of mounts.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { conformanceCases } from "../conformance/index.js";
import type { Progress } from "../conformance/run-cases.js";

const SCRIPT = fileURLToPath(new URL("../conformance/run-cases.js", import.meta.url));
/** Longer than any script within a case may take. */
const CASE_TIMEOUT_MS = 30_000;

export interface CaseResult {
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped";
  readonly reason: string;
}

export interface WatchOptions {
  /** Folder of the case folders. */
  readonly root: string;
  /** "make": the fixture is made on the subject itself; "given": it is there. */
  readonly fixture: "given" | "make";
  /** Numbers of the cases to run; all if absent. */
  readonly only?: readonly number[];
  /** Ends whatever the hanging process waits for, so that it can die. */
  readonly abort: () => void;
}

/** Results of the cases, in order; after a hanging case the others count as failed. */
export async function watchCases(options: WatchOptions): Promise<CaseResult[]> {
  const only = options.only ?? [...conformanceCases.keys()];
  const args = [SCRIPT, options.root, options.fixture, ...only.map(String)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const results = new Map<number, CaseResult>();
  let current = -1;
  let hanging = false;
  const expire = (): void => {
    hanging = true;
    child.kill("SIGKILL");
    options.abort();
  };
  let timer = setTimeout(expire, CASE_TIMEOUT_MS);
  const ended = exitOf(child);
  for await (const line of createInterface({ input: child.stdout })) {
    clearTimeout(timer);
    timer = setTimeout(expire, CASE_TIMEOUT_MS);
    const progress = JSON.parse(line) as Progress;
    current = progress.index;
    if (progress.state === "begin") continue;
    const name = conformanceCases[progress.index]?.name ?? "?";
    const reason = "reason" in progress ? progress.reason : "";
    results.set(progress.index, { name, state: progress.state, reason });
  }
  clearTimeout(timer);
  const end = await ended;
  return only.map((index) => {
    const name = conformanceCases[index]?.name ?? "?";
    const result = results.get(index);
    if (result !== undefined) return result;
    const why = hanging ? "it hangs" : `its process ended with ${end}`;
    return { name, state: "failed", reason: index === current ? why : "not run" };
  });
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(String(code ?? signal)));
    child.once("error", (error) => resolve(error.message));
  });
}

/** One paragraph for each failed case. */
export function describeFailures(results: readonly CaseResult[]): string {
  return results
    .filter((result) => result.state === "failed")
    .map((result) => `${result.name}\n    ${result.reason.split("\n").slice(0, 12).join("\n    ")}`)
    .join("\n");
}

/** Tells how many passed, and names the skipped ones. */
export function report(t: TestContext, results: readonly CaseResult[]): void {
  const count = (state: string): number => results.filter((r) => r.state === state).length;
  t.diagnostic(`${count("passed")} of ${results.length} cases pass, ${count("skipped")} skipped`);
  for (const { name, state, reason } of results) {
    if (state === "skipped") t.diagnostic(`skipped: ${name}: ${reason}`);
  }
}
