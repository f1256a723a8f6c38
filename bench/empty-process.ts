// How long a Node program that does nothing takes: what a mount by strata can't go below.

import { spawnSync } from "node:child_process";
import type { Measured } from "./report/sample.js";
import { EMPTY_PROCESS_ROW } from "./report/verdict.js";
import { type Choice, isChosen } from "./workloads/all-workloads.js";

/** Only when mounts are measured. */
export function measureEmptyProcess(choice: Choice, rounds: number): Measured {
  if (!isChosen("mount/most", choice)) return { rows: [], samples: [], gaps: [] };
  const samples = Array.from({ length: rounds }, (_, round) => {
    const begin = process.hrtime.bigint();
    spawnSync(process.execPath, ["-e", "0"]);
    const value = Number(process.hrtime.bigint() - begin) / 1e9;
    return { row: EMPTY_PROCESS_ROW, subject: "strata", round, value };
  });
  const label = "start of an empty Node process";
  return { rows: [{ key: EMPTY_PROCESS_ROW, label, unit: "s" }], samples, gaps: [] };
}
