// A full disk, on a small file system of its own: writes in a mount, commit, import and load say
// ENOSPC, lose nothing, and work again when there is room.

import { deepStrictEqual, equal, ok, throws } from "node:assert/strict";
import { readFileSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exitStatus, expectOneLine } from "./refusal.js";
import { missing, needsRoot, run } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { expectSound, keptInStore } from "./sound-store.js";
import { Workplace } from "./workplace.js";

const DISK = "48M";
const PIECE_BYTES = 1 << 20;
const FREED_WITHIN_MS = 30_000;
const NO_SPACE = /no space left on device/i;

/** An ext4 of its own at "disk" in the place; it is unmounted with the place's other mounts. */
async function smallDisk(place: Workplace): Promise<string> {
  const image = place.at("disk.img");
  const target = place.directory("disk");
  await run("truncate", ["-s", DISK, image]);
  await run("mkfs.ext4", ["-q", "-F", "-m0", image]);
  await run("mount", ["-o", "loop", image, target]);
  return target;
}

/** Grows a file until its file system is full; remove the file for room. */
function fillUp(path: string): void {
  const piece = Buffer.alloc(PIECE_BYTES, "x");
  throws(() => {
    for (let grown = 0; grown < 1 << 12; grown += 1) writeFileSync(path, piece, { flag: "a" });
  }, /ENOSPC/);
}

/** What was removed in a mount is free once the mount process has let go of it. */
async function untilFree(disk: string, bytes: number): Promise<void> {
  const deadline = Date.now() + FREED_WITHIN_MS;
  for (;;) {
    const { bavail, bsize } = statfsSync(disk);
    if (bavail * bsize >= bytes) return;
    ok(Date.now() < deadline, `only ${bavail * bsize} bytes are free`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("a full disk: one clear line, nothing lost, and on it goes", {
  skip: needsRoot || missing("mkfs.ext4"),
  timeout: 300_000,
}, async () => {
  await using outer = new Workplace();
  const disk = await smallDisk(outer);
  await using place = new Workplace(join(disk, "store"));
  const root = place.directory("root");
  makePlainRoot(root);
  await packTree(root, place.at("small.tar"));
  writeFileSync(join(root, "srv/big"), Buffer.alloc(8 << 20, "big "));
  await packTree(root, place.at("big.tar"));
  await place.strata("import", place.at("small.tar"), "small:1");
  const target = await place.mount("small:1", "box", "--name", "box");
  writeFileSync(join(target, "srv/kept"), Buffer.alloc(6 << 20, "kept"));

  // Writes in the mount: the writer is told, what was there stays.
  fillUp(join(target, "srv/filler"));
  equal(readFileSync(join(target, "etc/motd"), "utf8"), "hello\n");
  equal(statSync(join(target, "srv/kept")).size, 6 << 20);
  rmSync(join(target, "srv/filler"));
  writeFileSync(join(target, "srv/room"), "again");
  await untilFree(disk, 20 << 20);

  fillUp(join(disk, "filler"));
  await run("sh", ["-c", `truncate -s -2M ${join(disk, "filler")}`]);
  const kept = await keptInStore(place);
  for (const args of [
    ["commit", "box", "box:2"],
    ["import", place.at("big.tar"), "big:1"],
  ]) {
    const outcome = await place.tryStrata(args);
    expectOneLine(outcome, NO_SPACE, args.join(" "));
    equal(outcome.status, exitStatus.fileSystem);
    await expectSound(place);
    deepStrictEqual(await keptInStore(place), kept, args.join(" "));
    writeFileSync(join(target, "srv/room"), "the mount goes on");
  }

  rmSync(join(disk, "filler"));
  await place.strata("commit", "box", "box:2");
  const committed = await place.mount("box:2", "committed", "--read-only");
  equal(readFileSync(join(committed, "srv/room"), "utf8"), "the mount goes on");
  await place.strata("unmount", committed);
  await place.strata("unmount", target);
  await expectSound(place);
});
