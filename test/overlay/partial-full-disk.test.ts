// Partial files on a disk that is full: what could not be written is refused, nothing that was there
// is lost, and when there is room again the file is filled in.

import { ok, strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openDirectoryLayer, openDirectoryUpper } from "../../src/layer/index.js";
import { type Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import { features, O_RDONLY, O_RDWR } from "../../src/sys/index.js";
import { expectSame } from "./partial-world.js";

const hasMkfs = spawnSync("mkfs.ext4", ["-V"]).status === 0;
const skip = !features().mount ? "needs root: mounts" : hasMkfs ? false : "needs mkfs.ext4";
const SIZE = 40_000_123;

function expectContent(overlay: Overlay, node: Node, wanted: Buffer): void {
  const handle = overlay.open(node, O_RDONLY);
  const found = Buffer.alloc(SIZE);
  strictEqual(handle.read(found, 0, SIZE, 0), SIZE);
  handle.close();
  expectSame(found, wanted, "content");
}

test("partial files: a full disk is ENOSPC and loses nothing", { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), "strata-partial-"));
  const disk = join(scratch, "disk");
  const place = (name: string): string => join(disk, name);
  try {
    mkdirSync(disk);
    mkdirSync(join(scratch, "lower"));
    const content = Buffer.alloc(SIZE, "lower bytes of a large file; ");
    writeFileSync(join(scratch, "lower/file"), content);
    writeFileSync(join(scratch, "image"), "");
    truncateSync(join(scratch, "image"), 60_000_000);
    execFileSync("mkfs.ext4", ["-q", "-m", "0", join(scratch, "image")]);
    execFileSync("mount", ["-o", "loop", join(scratch, "image"), disk]);
    for (const name of ["upper", "work"]) mkdirSync(place(name));
    writeFileSync(place("ballast"), Buffer.alloc(30_000_000, 1));
    const open = (): Overlay =>
      new Overlay({
        stack: [openDirectoryLayer(join(scratch, "lower"))],
        upper: openDirectoryUpper(place("upper"), place("work")),
      });
    const nodeIn = (overlay: Overlay): Node => {
      const node = overlay.lookup(overlay.root, bytesOf("file") as Name);
      ok(node !== undefined);
      return node;
    };
    let overlay = open();
    const handle = overlay.open(nodeIn(overlay), O_RDWR);
    handle.write(Buffer.from("own"), 0, 3, 30_000_001);
    handle.close();
    content.write("own", 30_000_001);
    const finish = (): void => {
      overlay.filling.finish((error) => {
        throw error;
      });
    };
    for (let mounts = 0; mounts < 2; mounts++) {
      throws(finish, { code: "ENOSPC" });
      ok(statfsSync(disk).bfree > 0, "the last room is left to those who write");
      expectContent(overlay, nodeIn(overlay), content);
      overlay.close();
      overlay = open();
    }
    throws(finish, { code: "ENOSPC" });
    ok(overlay.filling.lacksRoom);
    // The same mount tries again.
    rmSync(place("ballast"));
    finish();
    strictEqual(overlay.dataPlace(nodeIn(overlay)), "upper");
    expectContent(overlay, nodeIn(overlay), content);
    overlay.close();
  } finally {
    spawnSync("umount", ["-l", disk]);
    rmSync(scratch, { recursive: true, force: true });
  }
});
