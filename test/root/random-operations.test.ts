// Random operations by several processes at once, on a mount of ours and on a plain directory: every
// operation has the same outcome, the trees are equal, and stay so over a remount, and when kernel
// overlayfs mounts our upper. The lower layers come from the same operations, the upper one of them
// written by kernel overlayfs.
//
//   STRATA_TEST_OPERATIONS=100000 for the whole; STRATA_TEST_SEED repeats a run.

import { equal } from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type MountJob, mountInProcess, unmount } from "../../src/fuse/index.js";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import { freshSeed } from "../e2e/seeded-random.js";
import {
  expectEqualTrees,
  listTree,
  type Rule,
  withoutLinkCount,
  withoutTime,
} from "../e2e/tree-listing.js";
import { Disk, lacksDisk } from "./loop-disk.js";

const OPERATIONS = Number(process.env["STRATA_TEST_OPERATIONS"] ?? 20_000);
const WORKERS = 4;
const LOWER_OPERATIONS = 400;
const TOP_OPERATIONS = 200;
const SIZE_MB = 8000;
const TIMEOUT_MS = 60_000 + OPERATIONS * 20;
const program = fileURLToPath(new URL("../random/worker.js", import.meta.url));

const options = {
  skip:
    needsRoot ||
    lacksDisk("ext4") ||
    missing("python3", "mount", "umount", "find") ||
    (existsSync("/dev/fuse") ? false : "needs /dev/fuse"),
  timeout: TIMEOUT_MS,
};

const names = Array.from({ length: WORKERS }, (_, index) => `w${index}`);

/** All workers at once, each in its own directory; what each says. */
async function work(root: string, seed: number, operations: number, more: readonly string[] = []) {
  return await Promise.all(
    names.map(async (name, index) => {
      const args = [program, join(root, name), String(seed + index), String(operations), ...more];
      return await run(process.execPath, args, { timeoutMs: TIMEOUT_MS });
    }),
  );
}

/** The first operation that went differently, with some before it. */
function expectSameOutcomes(plain: readonly string[], mounted: readonly string[]): void {
  for (const [index, expected] of plain.entries()) {
    if (expected === mounted[index]) continue;
    const [here, there] = [expected.split("\n"), (mounted[index] ?? "").split("\n")];
    const at = here.findIndex((line, n) => line !== there[n]);
    const before = here.slice(Math.max(at - 5, 0), at).join("\n");
    throw new Error(`worker ${index}:\n${before}\nplain:   ${here[at]}\nmounted: ${there[at]}`);
  }
}

async function withKernelOverlay<T>(options: string, root: string, use: () => Promise<T>) {
  await run("mount", ["-t", "overlay", "overlay", "-o", options, root]);
  try {
    return await use();
  } finally {
    await run("umount", [root]);
  }
}

async function inodeNumbers(root: string): Promise<string> {
  return await run("sh", ["-c", "find . -printf '%p %i\\n' | LC_ALL=C sort"], { cwd: root });
}

interface Layers {
  readonly base: string;
  readonly top: string;
  readonly plain: string;
}

/** Two layers with what workers left, and the merged tree as a plain directory. */
async function makeLayers(disk: Disk, seed: number, how: readonly string[]): Promise<Layers> {
  const [base, top, plain] = [disk.folder("base"), disk.folder("top"), disk.folder("plain")];
  const root = disk.folder("kernel");
  for (const name of names) mkdirSync(join(base, name));
  await work(base, seed + 1000, LOWER_OPERATIONS, how);
  const changed = `lowerdir=${base},upperdir=${top},workdir=${disk.folder("kernel-work")}`;
  await withKernelOverlay(`${changed},redirect_dir=on`, root, () =>
    work(root, seed + 2000, TOP_OPERATIONS, how),
  );
  const merged = `lowerdir=${top}:${base},redirect_dir=follow`;
  await withKernelOverlay(merged, root, () =>
    run("cp", ["-a", "--sparse=always", `${root}/.`, plain], { timeoutMs: TIMEOUT_MS }),
  );
  return { base, top, plain };
}

/** The root's own times are the new upper's. */
function startRule(path: string, attributes: Parameters<Rule>[1]): Parameters<Rule>[1] {
  const rest = withoutLinkCount(path, attributes);
  return path === "" ? withoutTime(path, rest) : rest;
}

function plainRule(path: string, attributes: Parameters<Rule>[1]): Parameters<Rule>[1] {
  return withoutTime(path, withoutLinkCount(path, attributes));
}

/**
 * Copies of lower files with several names are in an index of ours, which the kernel does not read:
 * it is asked about layers in which every file has one name.
 */
const VARIANTS = [
  { title: "with passthrough", passthrough: "auto", lowers: ["no-links"], more: [] },
  { title: "without passthrough", passthrough: "off", lowers: [], more: ["readers"] },
] as const;

async function runVariant(
  t: TestContext,
  seed: number,
  { passthrough, lowers, more }: (typeof VARIANTS)[number],
): Promise<void> {
  using disk = new Disk("ext4", SIZE_MB);
  const { base, top, plain } = await makeLayers(disk, seed, lowers);
  const target = disk.folder("mounted");
  const [upper, work_] = [disk.folder("upper"), disk.folder("work")];
  const logFile = join(disk.path, "log");
  const job: MountJob = { target, lowers: [top, base], upper, work: work_, logFile, passthrough };
  const { pid } = await mountInProcess(job);
  try {
    expectEqualTrees(await listTree(plain), await listTree(target), "before any change", startRule);
    const each = Math.ceil(OPERATIONS / WORKERS / VARIANTS.length);
    const began = performance.now();
    const outcomes = await work(target, seed, each, more);
    t.diagnostic(`${each * WORKERS} operations in ${Math.round(performance.now() - began)} ms`);
    expectSameOutcomes(await work(plain, seed, each, more), outcomes);
    const seen = await listTree(target);
    const numbers = await inodeNumbers(target);
    t.diagnostic(`${seen.size} files`);
    expectEqualTrees(await listTree(plain), seen, "plain directory and mount", plainRule);
    await unmount(target, { pid });
    const again = await mountInProcess(job);
    expectEqualTrees(seen, await listTree(target), "before and after a remount");
    equal(await inodeNumbers(target), numbers, "inode numbers after a remount");
    await unmount(target, { pid: again.pid });
    if (!lowers.some((how) => how === "no-links")) return;
    const options = `lowerdir=${top}:${base},upperdir=${upper},workdir=${disk.folder("work2")}`;
    await withKernelOverlay(`${options},redirect_dir=on,metacopy=on`, target, async () => {
      expectEqualTrees(
        seen,
        await listTree(target),
        "kernel overlayfs on our upper",
        withoutLinkCount,
      );
    });
  } finally {
    await run("sh", ["-c", 'umount -f -l "$1" 2>/dev/null || true', "sh", target]);
  }
}

for (const variant of VARIANTS) {
  test(`random operations: ${variant.title}, as on a plain directory`, options, async (t) => {
    const seed = freshSeed();
    t.diagnostic(`STRATA_TEST_SEED=${seed} STRATA_TEST_OPERATIONS=${OPERATIONS}`);
    await runVariant(t, seed, variant);
  });
}
