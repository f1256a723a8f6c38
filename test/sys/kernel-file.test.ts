// What the kernel tells, and what it does not: a process that is gone, a file that nobody may read.

import { strictEqual, throws } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { readKernelFile } from "../../src/sys/index.js";

test("readKernelFile: the text, or undefined for what is not there", () => {
  strictEqual(readKernelFile(`/proc/${process.pid}/cmdline`, "utf8")?.includes("\0"), true);
  const { pid } = spawnSync("true");
  strictEqual(readKernelFile(`/proc/${pid}/stat`), undefined, "a process that has ended");
  strictEqual(readKernelFile("/proc/self/status/more"), undefined, "ENOTDIR");
});

test("readKernelFile: throws what is no absence", () => {
  throws(() => readKernelFile("/proc/self"), { code: "EISDIR" });
});
