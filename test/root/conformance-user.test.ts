// The conformance cases for an ordinary user without a namespace of its own, on a mount that is made by
// fusermount3: whatever passes for that user on a plain directory passes on the mount, but for what the
// kernel grants no mount of this kind.

import { equal } from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makePlain, USER } from "../conformance/fixture.js";
import { conformanceCases } from "../conformance/index.js";
import { caseFolder } from "../conformance/run-cases.js";
import { missing, needsRoot, run, tryRun } from "../e2e/run-program.js";
import { fingerprint, makeLowers, subfolder } from "../mount/case-trees.js";
import type { NamespaceRequest } from "../mount/cases-in-namespace.js";
import { refusedWithoutRoot } from "../mount/refused-without-root.js";
import { type CaseResult, describeFailures, report } from "../mount/watch-cases.js";
import { Disk, lacksDisk } from "./loop-disk.js";

const SIZE_MB = 2000;
const TIMEOUT_MS = 300_000;
const program = fileURLToPath(new URL("../mount/cases-in-namespace.js", import.meta.url));
const IDS = ["--reuid", String(USER), "--regid", String(USER), "--clear-groups"];
const options = {
  skip:
    needsRoot ||
    lacksDisk("ext4") ||
    missing("unshare", "setpriv", "fusermount3") ||
    (existsSync("/dev/fuse") ? false : "needs /dev/fuse"),
  timeout: TIMEOUT_MS,
};

/** As the user, where /dev/fuse may be opened by all; what is left mounted is gone with its namespace. */
async function resultsOf(folder: string, request: NamespaceRequest): Promise<CaseResult[]> {
  const script = 'mount --bind "$1" /dev/fuse; shift; exec setpriv "$@"';
  const words = ["-m", "--propagation", "private", "sh", "-ec", script, "sh", join(folder, "fuse")];
  const asUser = [...IDS, process.execPath, program, JSON.stringify(request)];
  const printed = await run("unshare", [...words, ...asUser], {
    cwd: folder,
    timeoutMs: TIMEOUT_MS,
  });
  return JSON.parse(printed) as CaseResult[];
}

/** Root makes the trees, for they have owners and devices; then all is the user's. */
async function giveAway(folder: string): Promise<void> {
  await run("chown", ["-hR", `${USER}:${USER}`, folder]);
}

async function passPlainly(folder: string, failed: readonly CaseResult[]): Promise<string[]> {
  const only = failed.map(({ name }) => conformanceCases.findIndex((c) => c.name === name));
  const root = subfolder(folder, "plain");
  for (const index of only) {
    mkdirSync(caseFolder(root, index));
    makePlain(caseFolder(root, index), conformanceCases[index]?.extra);
  }
  await giveAway(root);
  const plain = await resultsOf(folder, { root, only });
  return plain.filter(({ state }) => state === "passed").map(({ name }) => name);
}

test(
  "conformance: for an ordinary user all passes that passes on a plain directory",
  options,
  async (t) => {
    const readable = await tryRun("setpriv", [...IDS, process.execPath, program]);
    if (readable.stderr.includes("EACCES") || readable.stderr.includes("Cannot find module")) {
      t.skip(`user ${USER} may not read ${program}`);
      return;
    }
    using disk = new Disk("ext4", SIZE_MB);
    const folder = disk.path;
    await run("mknod", [join(folder, "fuse"), "c", "10", "229"]);
    const lowers = makeLowers(subfolder(folder, "lowers"), "user");
    const job = {
      target: subfolder(folder, "root"),
      lowers: [lowers.top, lowers.base],
      upper: subfolder(folder, "upper"),
      work: subfolder(folder, "work"),
      logFile: join(folder, "log"),
    };
    await giveAway(folder);
    await run("chmod", ["666", join(folder, "fuse")]);
    const before = fingerprint(lowers.folder);
    const results = await resultsOf(folder, { job });
    report(t, results);
    const failed = results.filter(({ state }) => state === "failed");
    const passPlain = await passPlainly(folder, failed);
    const here = failed.filter(({ name }) => passPlain.includes(name));
    for (const { name } of here)
      t.diagnostic(`fails here only: ${name}: ${refusedWithoutRoot(name)}`);
    equal(describeFailures(here.filter(({ name }) => refusedWithoutRoot(name) === undefined)), "");
    equal(fingerprint(lowers.folder), before);
  },
);
