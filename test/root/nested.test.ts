// Unions inside unions: the upper of the inner one lies in the outer one's tree. Random operations
// there have the outcomes that they have on a plain directory, the trees are equal, and stay so when
// all of them are unmounted and mounted again. fuse-overlayfs as the inner one does what it does on ext4.

import { equal } from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type MountJob, mountInProcess, unmount } from "../../src/fuse/index.js";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import { freshSeed } from "../e2e/seeded-random.js";
import { expectEqualTrees, listTree, withoutLinkCount, withoutTime } from "../e2e/tree-listing.js";
import { Disk, lacksDisk } from "./loop-disk.js";

const OPERATIONS = 1500;
const LOWER_OPERATIONS = 300;
const SIZE_MB = 4000;
const TIMEOUT_MS = 300_000;
const program = fileURLToPath(new URL("../random/worker.js", import.meta.url));

const options = {
  skip:
    needsRoot ||
    lacksDisk("ext4") ||
    missing("umount", "find") ||
    (existsSync("/dev/fuse") ? false : "needs /dev/fuse"),
  timeout: TIMEOUT_MS,
};

const DEPTHS = [2, 3];
const PEER_OPERATIONS = 3000;

async function work(root: string, seed: number, operations: number): Promise<string> {
  const args = [program, join(root, "w"), String(seed), String(operations), "no-links"];
  return await run(process.execPath, args, { timeoutMs: TIMEOUT_MS });
}

/** One union over the lower layer, with upper and work below `place`. */
async function mountIn(place: string, lower: string, target: string): Promise<() => Promise<void>> {
  const [upper, work_] = [join(place, "upper"), join(place, "work")];
  for (const path of [upper, work_]) mkdirSync(path, { recursive: true });
  const job: MountJob = { target, lowers: [lower], upper, work: work_, logFile: `${target}.log` };
  const { pid } = await mountInProcess(job);
  return async () => void (await unmount(target, { pid }));
}

/** Mounts each inside the one before; `use` gets the innermost. */
async function withStack(
  disk: Disk,
  depth: number,
  lower: string,
  use: (innermost: string) => Promise<void>,
): Promise<void> {
  const ends: (() => Promise<void>)[] = [];
  const targets = Array.from({ length: depth }, (_, index) => join(disk.path, `mounted-${index}`));
  try {
    let place = join(disk.path, "outer");
    for (const target of targets) {
      mkdirSync(target, { recursive: true });
      ends.push(await mountIn(place, lower, target));
      place = join(target, "inner");
    }
    await use(targets.at(-1) ?? "");
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  } finally {
    for (const target of [...targets].reverse()) {
      await run("sh", ["-c", 'umount -f -l "$1" 2>/dev/null || true', "sh", target]);
    }
  }
}

for (const depth of DEPTHS) {
  test(
    `nested: ${depth} unions inside each other, random operations as on a plain directory`,
    options,
    async (t) => {
      const seed = freshSeed();
      t.diagnostic(`STRATA_TEST_SEED=${seed}`);
      using disk = new Disk("ext4", SIZE_MB);
      const [lower, plain] = [disk.folder("lower"), disk.folder("plain")];
      mkdirSync(join(lower, "w"));
      await work(lower, seed + 1000, LOWER_OPERATIONS);
      await run("cp", ["-a", "--sparse=always", `${lower}/.`, plain]);
      const rule = (path: string, attributes: Parameters<typeof withoutTime>[1]) =>
        withoutTime(path, withoutLinkCount(path, attributes));
      let seen: Awaited<ReturnType<typeof listTree>> | undefined;
      await withStack(disk, depth, lower, async (root) => {
        const outcomes = await work(root, seed, OPERATIONS);
        equal(outcomes, await work(plain, seed, OPERATIONS), "outcomes");
        expectEqualTrees(await listTree(plain), await listTree(root), "plain and nested", rule);
        seen = await listTree(root);
      });
      await withStack(disk, depth, lower, async (root) => {
        expectEqualTrees(seen ?? new Map(), await listTree(root), "before and after", rule);
        await run("rm", ["-r", join(root, "w")]);
        equal(existsSync(join(root, "w")), false);
      });
    },
  );
}

/** With an empty lower layer: over any other fuse-overlayfs 1.10 dies, wherever its upper lies. */
async function throughPeer(place: string, seed: number): Promise<string> {
  const [lower, upper, work_, target] = ["lower", "upper", "work", "target"].map((name) => {
    const path = join(place, name);
    mkdirSync(path, { recursive: true });
    return path;
  });
  mkdirSync(join(lower ?? "", "w"));
  const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work_}`;
  await run("fuse-overlayfs", ["-o", layers, target ?? ""]);
  try {
    return await work(target ?? "", seed, PEER_OPERATIONS);
  } finally {
    await run("umount", ["-l", target ?? ""]);
  }
}

test("nested: fuse-overlayfs with its upper in a union of ours, as on ext4", {
  ...options,
  skip: options.skip || missing("fuse-overlayfs"),
}, async (t) => {
  const seed = freshSeed();
  t.diagnostic(`STRATA_TEST_SEED=${seed}`);
  using disk = new Disk("ext4", SIZE_MB);
  const expected = await throughPeer(disk.folder("plain"), seed);
  await withStack(disk, 1, disk.folder("lower"), async (root) => {
    equal(await throughPeer(join(root, "peer"), seed), expected);
  });
});
