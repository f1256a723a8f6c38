// While a mount is asked for much, the kernel holds the limit that the mount process asked for; read
// back from the kernel's own device. Other mounts may ask for it as well, so what is waited for is only
// that it comes and goes; and that this mount may ask, its descriptor of the device tells.

import { strictEqual } from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { latencyWanted } from "../../src/fuse/session/fast-wakeups.js";
import { idleGovernor } from "../../src/sys/index.js";
import { mountSkip, withMount, withScratch } from "./mounted.js";

const DEVICE = "/dev/cpu_dma_latency";
/** Other tests may ask for it meanwhile, with short rests. */
const WAIT_MS = 25_000;

/** What all who ask agree on now, in microseconds. */
function presentLimit(): number {
  const fd = fs.openSync(DEVICE, "r");
  try {
    const value = Buffer.alloc(4);
    fs.readSync(fd, value, 0, 4, null);
    return value.readInt32LE();
  } finally {
    fs.closeSync(fd);
  }
}

/** The process has the device open. */
function mayAsk(pid: number): boolean {
  // Other descriptors may be closed while ls looks at them.
  const { stdout } = spawnSync("ls", ["-l", `/proc/${pid}/fd`], { encoding: "utf8" });
  return stdout.includes(` -> ${DEVICE}\n`);
}

async function waitFor(isSo: () => boolean): Promise<boolean> {
  for (const endMs = Date.now() + WAIT_MS; Date.now() < endMs; await setTimeout(1)) {
    if (isSo()) return true;
  }
  return false;
}

test("a busy mount asks for fast wake-ups, an idle one for none", {
  skip: mountSkip,
  timeout: 120_000,
}, async (t) => {
  const wanted = fs.existsSync(DEVICE)
    ? latencyWanted("on", { governor: idleGovernor(), processors: cpus().length })
    : undefined;
  const isLimited = () => wanted !== undefined && presentLimit() <= wanted;
  if (!(await waitFor(() => !isLimited()))) {
    t.skip("another program keeps processors awake all the time");
    return;
  }
  await withScratch(async (scratch) => {
    const [mount, lower] = ["m", "lower"].map((name) => {
      fs.mkdirSync(join(scratch, name));
      return join(scratch, name);
    }) as [string, string];
    await withMount({ target: mount, lowers: [lower], fastWakeups: "on" }, async (pid) => {
      // Served, so all that it opens at its start is open.
      spawnSync("ls", [mount]);
      strictEqual(mayAsk(pid), wanted !== undefined);
      if (wanted === undefined) return;
      // New names each time: what is missing the kernel knows after it has asked once.
      const script = 'i=0; while [ -e "$1" ]; do i=$((i+1)); [ -e "$1/$i" ]; done';
      const asker = spawn("sh", ["-c", script, "sh", mount], { stdio: "ignore" });
      const ended = new Promise((resolve) => asker.once("exit", resolve));
      try {
        strictEqual(await waitFor(isLimited), true, "asked for");
      } finally {
        asker.kill("SIGKILL");
        await ended;
      }
      strictEqual(await waitFor(() => !isLimited()), true, "given back while still mounted");
    });
  });
});
