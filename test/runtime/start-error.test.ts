// Exit statuses of starts that fail, by runc's and crun's own words; and how waits are read.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loggedError, StartError } from "../../src/runtime/start-error.js";
import { exitStatusOfWait, signalNumber } from "../../src/sys/index.js";

test("StartError: docker's exit statuses by the runtime's words", () => {
  const reasons: readonly (readonly [reason: string, status: number])[] = [
    ['unable to start container process: exec: "nope": executable file not found in $PATH', 127],
    ['unable to start container process: exec: "/x": stat /x: no such file or directory', 127],
    ['unable to start container process: exec: "/bin": permission denied', 126],
    ['unable to start container process: exec: "/bin": is a directory', 126],
    ['error mounting "/nowhere" to rootfs: no such file or directory', 125],
    ["cgroups: cgroup mountpoint does not exist", 125],
  ];
  for (const [reason, status] of reasons) {
    strictEqual(new StartError('container "x"', reason).exitStatus, status, reason);
  }
});

test("loggedError: the last error of a log, without the runtime's preface; half a line is none", () => {
  const place = mkdtempSync(join(tmpdir(), "strata-log-"));
  try {
    const path = join(place, "log");
    strictEqual(loggedError(path), undefined);
    const line = (level: string, msg: string) => `${JSON.stringify({ level, msg, time: "now" })}\n`;
    writeFileSync(path, `${line("warning", "w")}${line("error", "runc create failed: first")}`);
    strictEqual(loggedError(path), "first");
    writeFileSync(path, `${line("error", "exec failed: why")}{"level":"err`);
    strictEqual(loggedError(path), "why");
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

test("exitStatusOfWait, signalNumber: as a shell shows and takes them", () => {
  deepStrictEqual([0, 256, 42 << 8, 9, 15, 139].map(exitStatusOfWait), [0, 1, 42, 137, 143, 139]);
  const words = ["TERM", "sigkill", "15", "RTMIN+1", "SIGRTMAX", "0", "65", "NOPE", "RTMIN-1"];
  deepStrictEqual(words.map(signalNumber), [15, 9, 15, 35, 64, ...Array(4).fill(undefined)]);
});
