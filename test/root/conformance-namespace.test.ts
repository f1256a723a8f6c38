// The conformance cases on a mount that is made in a user namespace, where marks are user.* xattrs and
// there is no passthrough: whatever passes on a plain directory there, of the same file system, passes on the mount.

import { equal } from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makePlain } from "../conformance/fixture.js";
import { conformanceCases } from "../conformance/index.js";
import { caseFolder } from "../conformance/run-cases.js";
import { missing, needsRoot } from "../e2e/run-program.js";
import { fingerprint, makeLowers, subfolder } from "../mount/case-trees.js";
import type { NamespaceRequest } from "../mount/cases-in-namespace.js";
import { runInNamespace } from "../mount/namespace.js";
import { refusedWithoutRoot } from "../mount/refused-without-root.js";
import { type CaseResult, describeFailures, report } from "../mount/watch-cases.js";
import { Disk, type DiskKind, lacksDisk } from "./loop-disk.js";

const SIZE_MB = 2000;
const TIMEOUT_MS = 300_000;
const program = fileURLToPath(new URL("../mount/cases-in-namespace.js", import.meta.url));
const options = {
  skip:
    needsRoot ||
    lacksDisk("ext4", "xfs", "btrfs") ||
    missing("unshare") ||
    (existsSync("/dev/fuse") ? false : "needs /dev/fuse"),
  timeout: TIMEOUT_MS,
};

async function resultsOf(request: NamespaceRequest): Promise<CaseResult[]> {
  const args = [program, JSON.stringify(request)];
  return JSON.parse(await runInNamespace(process.execPath, args, TIMEOUT_MS)) as CaseResult[];
}

/** The failed cases once more, on a plain directory in a namespace: the names of those that pass. */
async function passPlainly(root: string, failed: readonly CaseResult[]): Promise<string[]> {
  const only = failed.map(({ name }) => conformanceCases.findIndex((c) => c.name === name));
  for (const index of only) {
    mkdirSync(caseFolder(root, index));
    makePlain(caseFolder(root, index), conformanceCases[index]?.extra);
  }
  const plain = await resultsOf({ root, only });
  return plain.filter(({ state }) => state === "passed").map(({ name }) => name);
}

const UPPERS: readonly DiskKind[] = ["ext4", "xfs", "btrfs", "tmpfs"];

for (const kind of UPPERS) {
  test(
    `conformance: in a user namespace all passes that passes there on ${kind}`,
    options,
    async (t) => {
      using disk = new Disk(kind, SIZE_MB);
      const folder = disk.path;
      const lowers = makeLowers(subfolder(folder, "lowers"), "user");
      const job = {
        target: subfolder(folder, "root"),
        lowers: [lowers.top, lowers.base],
        upper: subfolder(folder, "upper"),
        work: subfolder(folder, "work"),
        logFile: join(folder, "log"),
      };
      const results = await resultsOf({ job });
      report(t, results);
      const failed = results.filter(({ state }) => state === "failed");
      const passPlain = await passPlainly(subfolder(folder, "plain"), failed);
      for (const { name } of failed) t.diagnostic(`fails: ${name}`);
      const wrong = failed.filter(
        ({ name }) => passPlain.includes(name) && refusedWithoutRoot(name) === undefined,
      );
      equal(describeFailures(wrong), "");
      equal(fingerprint(lowers.folder), lowers.fingerprint);
    },
  );
}
