// Partial files on other file systems than the usual one: blocks that are smaller than a page, layers on
// different disks, where nothing can be cloned though both could clone.

import { ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bytesOf } from "../../src/path.js";
import { AT_FDCWD, listxattrAt } from "../../src/sys/index.js";
import { needsRoot } from "../e2e/run-program.js";
import { until, withMount } from "../mount/mounted.js";
import { expectPlainFile } from "../overlay/partial-random.js";
import { PartialWorld } from "../overlay/partial-world.js";
import { Disk, type DiskKind, lacksDisk } from "./loop-disk.js";

const SIZE = 200_123;
const LARGE = 40_000_000;
const SIZE_MB = 400;
const RUNS = 30;

const skip = needsRoot || lacksDisk("ext4", "xfs", "btrfs");
const lower = Buffer.alloc(SIZE, "lower file ");

const SMALL_BLOCKS: readonly (readonly [DiskKind, readonly string[]])[] = [
  ["ext4", ["-b", "1024"]],
  ["ext4", ["-b", "2048"]],
  ["xfs", ["-b", "size=1024", "-m", "reflink=0"]],
];

for (const [kind, options] of SMALL_BLOCKS) {
  const title = `${kind} ${options.join(" ")}`;
  test(`partial files on ${title}: a byte that was written stays`, {
    skip,
    timeout: 60_000,
  }, () => {
    using disk = new Disk(kind, SIZE_MB, options);
    {
      // Behind the lower file's end, within a block of 4096 bytes.
      using world = new PartialWorld(lower, [], disk.path);
      world.run({ does: "write", position: 5, length: 1 });
      world.run({ does: "write", position: 251_500, length: 1 });
      world.remount();
      world.expectContent();
    }
    {
      // In a hole of the lower file's that was passed over already when the file was filled in.
      using world = new PartialWorld(lower, [{ start: 0, end: 131_072 }], disk.path);
      world.run({ does: "write", position: 190_000, length: 1 });
      for (let steps = 0; steps < 2; steps++) world.run({ does: "fill", position: 0, length: 1 });
      strictEqual(world.overlay.dataPlace(world.node), "both");
      world.run({ does: "write", position: 3000, length: 1 });
      world.remount();
      world.expectContent();
    }
    expectPlainFile(RUNS, disk.path);
  });
}

test("a full disk: what could not be filled in is, in idle time, when there is room", {
  skip,
  timeout: 90_000,
}, async () => {
  using disk = new Disk("ext4", 64);
  using layer = new Disk("tmpfs", 64);
  const content = Buffer.alloc(LARGE, "lower bytes of a large file; ");
  writeFileSync(join(layer.folder("lower"), "file"), content);
  const job = {
    ...{ target: layer.folder("m"), lowers: [layer.folder("lower")] },
    ...{ upper: disk.folder("upper"), work: disk.folder("work") },
  };
  const ballast = join(disk.path, "ballast");
  writeFileSync(ballast, Buffer.alloc(LARGE, 1));
  const upperFile = join(job.upper, "file");
  const isPartial = (): boolean =>
    listxattrAt(AT_FDCWD, bytesOf(upperFile)).includes(bytesOf("trusted.overlay.metacopy"));
  await withMount(job, async () => {
    const fd = openSync(join(job.target, "file"), "r+");
    writeSync(fd, "own", 30_000_001);
    closeSync(fd);
    content.write("own", 30_000_001);
    await until("the log says that it is full", () =>
      readFileSync(`${job.target}.log`, "utf8").includes("filling in"),
    );
    ok(isPartial());
    ok(readFileSync(join(job.target, "file")).equals(content));
    rmSync(ballast);
    await until("it is filled in", () => !isPartial());
    ok(readFileSync(upperFile).equals(content));
  });
});

for (const [upper, below] of [
  ["xfs", "tmpfs"],
  ["btrfs", "ext4"],
  ["ext4", "btrfs"],
] as const) {
  test(`partial files on ${upper} over a layer on ${below}: as a plain file`, {
    skip,
    timeout: 60_000,
  }, () => {
    using upperDisk = new Disk(upper, SIZE_MB);
    using lowerDisk = new Disk(below, SIZE_MB);
    {
      using world = new PartialWorld(lower, [], upperDisk.path, lowerDisk.path);
      world.run({ does: "write", position: 5, length: 1 });
      strictEqual(world.overlay.dataPlace(world.node), "both", "it can't be a clone");
    }
    expectPlainFile(RUNS, upperDisk.path, lowerDisk.path);
  });
}
