// Removed files on a disk that has little room are gone at once: who needs their room must find it.

import { ok, strictEqual } from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Closer } from "../../src/layer/closer.js";
import { needsRoot } from "../e2e/run-program.js";
import { heldBelow, removedFile } from "../layer/removed-files.js";
import { Disk, lacksDisk } from "./loop-disk.js";

const ROOMY_MB = 100;
/** Three times so many are too few to be taken for a large directory, whose files never wait. */
const FILES = 40;

test("Closer: where room is scarce, removed files do not wait", {
  skip: needsRoot || lacksDisk("tmpfs"),
  timeout: 60_000,
}, () => {
  using disk = new Disk("tmpfs", ROOMY_MB);
  const closer = new Closer();
  const closeSome = (): void => {
    for (let file = 0; file < FILES; file++) {
      closer.close(removedFile(join(disk.path, `f${file}`), 1000));
    }
  };
  try {
    closeSome();
    ok(closer.isWaiting, "there is room");
    const filling = join(disk.path, "filling");
    writeFileSync(filling, Buffer.alloc((ROOMY_MB - 20) << 20));
    closeSome();
    strictEqual(closer.isWaiting, false);
    strictEqual(heldBelow(disk.path), 0, "also those that had waited");
    rmSync(filling);
    closeSome();
    ok(closer.isWaiting, "there is room again");
  } finally {
    closer.finish();
  }
});
