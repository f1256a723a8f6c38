// Starting the process of a mount where there can be none.

import { rejects } from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { startMountProcess, type WaitingMountProcess } from "../../src/fuse/index.js";

/** Starts a mount process as if Node.js were gone. */
function startWithoutNode(target: string, logFile: string): WaitingMountProcess {
  const { execPath } = process;
  process.execPath = `${target}/no-node`;
  try {
    return startMountProcess(target, logFile);
  } finally {
    process.execPath = execPath;
  }
}

test("startMountProcess: that there is no process says mount(), however late; there is nothing to end", {
  timeout: 30_000,
}, async () => {
  const scratch = mkdtempSync(join(tmpdir(), "strata-start-"));
  try {
    const logFile = join(scratch, "log");
    const [wanted, unwanted] = [1, 2].map(() => startWithoutNode(scratch, logFile));
    // A promise that fails while nobody listens would end the whole program.
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    await rejects(async () => await wanted?.mount({ lowers: [], target: scratch, logFile }), {
      code: "ENOENT",
    });
    await unwanted?.end();
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
