// The conformance cases with the upper on every file system that serves as one: whatever passes on
// that file system itself passes on our mount. The lowers lie on the same one, so that content is
// cloned where that works, or on two others.

import { deepStrictEqual, equal } from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { makePlain } from "../conformance/fixture.js";
import { conformanceCases } from "../conformance/index.js";
import { caseFolder } from "../conformance/run-cases.js";
import { needsRoot } from "../e2e/run-program.js";
import { fingerprint, type Lowers, makeLowers } from "../mount/case-trees.js";
import { type CaseResult, describeFailures, report, watchCases } from "../mount/watch-cases.js";
import { watchMount } from "../mount/watch-mount.js";
import { Disk, type DiskKind, lacksDisk } from "./loop-disk.js";

const SIZE_MB = 3000;
const options = {
  skip:
    needsRoot ||
    lacksDisk("ext4", "xfs", "btrfs") ||
    (existsSync("/dev/fuse") ? false : "needs /dev/fuse"),
  timeout: 400_000,
};

const disks = new Map<DiskKind, Disk>();
const lowers = new Map<DiskKind, Lowers>();

after(() => {
  for (const disk of disks.values()) disk[Symbol.dispose]();
});

function diskOf(kind: DiskKind): Disk {
  const disk = disks.get(kind) ?? new Disk(kind, SIZE_MB);
  disks.set(kind, disk);
  return disk;
}

function lowersOn(kind: DiskKind): Lowers {
  const made = lowers.get(kind) ?? makeLowers(diskOf(kind).folder("lowers"));
  lowers.set(kind, made);
  return made;
}

/** The failed cases once more, on the plain file system: the names of those that pass there. */
async function passPlainly(disk: Disk, failed: readonly CaseResult[]): Promise<string[]> {
  const root = disk.folder("plain");
  const only = failed.map(({ name }) => conformanceCases.findIndex((c) => c.name === name));
  for (const index of only) {
    mkdirSync(caseFolder(root, index));
    makePlain(caseFolder(root, index), conformanceCases[index]?.extra);
  }
  const plain = await watchCases({ root, fixture: "given", only, abort: () => undefined });
  return plain.filter(({ state }) => state === "passed").map(({ name }) => name);
}

interface Stack {
  readonly upper: DiskKind;
  readonly top: DiskKind;
  readonly base: DiskKind;
}

const STACKS: readonly Stack[] = [
  { upper: "xfs", top: "xfs", base: "xfs" },
  { upper: "btrfs", top: "btrfs", base: "btrfs" },
  { upper: "ext4", top: "btrfs", base: "xfs" },
  { upper: "tmpfs", top: "xfs", base: "btrfs" },
];

for (const { upper, top, base } of STACKS) {
  const name = `conformance: upper on ${upper}, lowers on ${top} and ${base}`;
  test(`${name}: all passes that passes on ${upper}`, options, async (t) => {
    const disk = diskOf(upper);
    const folder = disk.folder("mounted");
    const job = {
      target: disk.folder("mounted/root"),
      lowers: [lowersOn(top).top, lowersOn(base).base],
      upper: disk.folder("mounted/upper"),
      work: disk.folder("mounted/work"),
      logFile: join(folder, "log"),
    };
    const results = await watchMount(job, { fixture: "given" });
    report(t, results);
    const failed = results.filter(({ state }) => state === "failed");
    if (failed.length === 0) return;
    const passPlain = await passPlainly(disk, failed);
    for (const { name: failedHere } of failed) t.diagnostic(`fails, plainly too: ${failedHere}`);
    equal(describeFailures(failed.filter((result) => passPlain.includes(result.name))), "");
  });
}

test("conformance: the lower layers on xfs and btrfs are as they were", options, () => {
  for (const { folder, fingerprint: before } of lowers.values()) {
    deepStrictEqual(fingerprint(folder), before);
  }
});
