// Partial files on other file systems than the usual one: blocks that are smaller than a page, layers on
// different disks, where nothing can be cloned though both could clone.

import { strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { needsRoot } from "../e2e/run-program.js";
import { expectPlainFile } from "../overlay/partial-random.js";
import { PartialWorld } from "../overlay/partial-world.js";
import { Disk, type DiskKind, lacksDisk } from "./loop-disk.js";

const SIZE = 200_123;
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
