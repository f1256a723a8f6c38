// The conformance cases on three subjects: a plain directory tells whether a case is right, kernel
// overlayfs is listed for comparison, and our mount must pass whatever the plain directory passes.

import { equal } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { FuseDriver } from "../../src/fuse/index.js";
import { makePlain } from "../conformance/fixture.js";
import { conformanceCases } from "../conformance/index.js";
import { caseFolder } from "../conformance/run-cases.js";
import {
  fingerprint,
  type Lowers,
  makeLowers,
  makeScratch,
  remove,
  scratch,
  subfolder,
} from "./case-trees.js";
import { fuseNativeFaults } from "./fuse-native-faults.js";
import { type CaseResult, describeFailures, report, watchCases } from "./watch-cases.js";
import { watchMount } from "./watch-mount.js";

const TIMEOUT_MS = 300_000;
const isRoot = process.geteuid?.() === 0;
const options = { timeout: TIMEOUT_MS, skip: isRoot ? false : "needs root: owners and devices" };

let lowers: Lowers | undefined;

/** The two lower layers with every case's fixture: made once, since they are read-only. */
function sharedLowers(): Lowers {
  lowers ??= makeLowers(makeScratch());
  return lowers;
}

after(() => {
  if (lowers !== undefined) remove(lowers.folder);
});

/** Failures by operation, each with its number and one example. */
function summarise(results: readonly CaseResult[]): string[] {
  const byOperation = new Map<string, string[]>();
  for (const { name, state } of results) {
    if (state !== "failed") continue;
    const operation = name.slice(0, name.indexOf(":"));
    byOperation.set(operation, [...(byOperation.get(operation) ?? []), name]);
  }
  return [...byOperation.values()].map((names) => `fails ${names.length}, as in "${names[0]}"`);
}

test("conformance: there are at least 200 cases, and each has its own name", () => {
  equal(conformanceCases.length >= 200, true);
  equal(new Set(conformanceCases.map(({ name }) => name)).size, conformanceCases.length);
});

test("conformance: a plain directory passes every case", options, async (t) => {
  const root = scratch(t);
  for (const [index, { extra }] of conformanceCases.entries()) {
    const folder = caseFolder(root, index);
    mkdirSync(folder);
    makePlain(folder, extra);
  }
  const results = await watchCases({ root, fixture: "given", abort: () => undefined });
  report(t, results);
  equal(describeFailures(results), "");
});

/** Options that bring kernel overlayfs as near to a plain directory as it gets. */
const KERNEL_VARIANTS: Readonly<Record<string, string>> = {
  "with its defaults": "",
  "with everything on": ",redirect_dir=on,index=on,metacopy=on,xino=on",
};

for (const [variant, extra] of Object.entries(KERNEL_VARIANTS)) {
  test(`conformance: kernel overlayfs ${variant}, for comparison`, options, async (t) => {
    const { base, top } = sharedLowers();
    const folder = scratch(t);
    const [upper, work] = [subfolder(folder, "upper"), subfolder(folder, "work")];
    const root = subfolder(folder, "root");
    const layers = `lowerdir=${top}:${base},upperdir=${upper},workdir=${work}${extra}`;
    try {
      execFileSync("mount", ["-t", "overlay", "overlay", "-o", layers, root], { stdio: "pipe" });
    } catch (error) {
      t.skip(`overlayfs cannot be mounted here: ${String(error)}`);
      return;
    }
    try {
      const results = await watchCases({ root, fixture: "given", abort: () => undefined });
      report(t, results);
      for (const line of summarise(results)) t.diagnostic(line);
    } finally {
      execFileSync("umount", [root]);
    }
  });
}

/** How our mount is tried: which tree is below it, and who moves the data. */
const STRATA_VARIANTS: readonly {
  readonly name: string;
  readonly fixture: "given" | "make";
  readonly passthrough: "auto" | "all" | "off";
  readonly driver?: FuseDriver;
}[] = [
  { name: "over two lower layers", fixture: "given", passthrough: "auto" },
  { name: "over two lower layers, without passthrough", fixture: "given", passthrough: "off" },
  { name: "with files made on the mount", fixture: "make", passthrough: "all" },
  { name: "by fuse-native", fixture: "given", passthrough: "off", driver: "fuse-native" },
];

const needsFuse = existsSync("/dev/fuse") ? options.skip : "needs /dev/fuse";

/** Failures that are not known, and known ones that are none any more. */
function surprises(results: readonly CaseResult[], faults: ReadonlyMap<string, string>): string {
  const unknown = results.filter(({ name }) => !faults.has(name));
  const states = new Map(results.map(({ name, state }) => [name, state]));
  const mended = [...faults.keys()].filter((name) => states.get(name) !== "failed");
  const lines = mended.map((name) => `${name}\n    does not fail: take it off the list`);
  return [describeFailures(unknown), ...lines].filter((text) => text !== "").join("\n");
}

for (const { name, fixture, passthrough, driver = "dev-fuse" } of STRATA_VARIANTS) {
  const strataOptions = { ...options, skip: needsFuse };
  const faults = driver === "fuse-native" ? fuseNativeFaults : new Map<string, string>();
  const claim = faults.size === 0 ? "passes every case" : "fails its listed cases, and no other";
  test(`conformance: strata ${name} ${claim}`, strataOptions, async (t) => {
    const folder = scratch(t);
    const { base, top } = sharedLowers();
    const stack = fixture === "given" ? [top, base] : [subfolder(folder, "nothing")];
    const [upper, work] = [subfolder(folder, "upper"), subfolder(folder, "work")];
    const root = subfolder(folder, "root");
    const logFile = join(folder, "log");
    const job = { target: root, lowers: stack, upper, work, logFile, passthrough, driver };
    const results = await watchMount(job, { fixture });
    report(t, results);
    for (const [fault, reason] of faults) t.diagnostic(`known: ${fault}: ${reason}`);
    equal(surprises(results, faults), "");
  });
}

test("conformance: after all of this the lower layers are as they were", options, () => {
  const { folder, fingerprint: before } = sharedLowers();
  equal(fingerprint(folder), before);
});
