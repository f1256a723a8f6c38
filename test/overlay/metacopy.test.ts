// Metadata-only copies: what we write kernel overlayfs reads, and the other way round. A partial
// file it must refuse, since it would show the lower file's data where ours were written.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { directoryTree, openDirectoryLayer, openDirectoryUpper } from "../../src/layer/index.js";
import { type Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import { features, MNT_DETACH, mount, O_RDWR, UTIME_OMIT, umount2 } from "../../src/sys/index.js";
import { partialSkip } from "./partial-world.js";
import { snapshotOverlay, snapshotTree } from "./snapshot.js";

const skip = features().trustedXattr ? false : "needs root: mounts overlayfs";

const BIG = Buffer.alloc(300_000, "0123456789abcde");
const FILES = ["chmod", "chown", "times", "xattr", "moved", "linked", "dir/moved", "dir/in", "two"];

/** Layers, an upper and a mount point, gone after `use`. */
function withTree(use: (place: (name: string) => string) => void): void {
  const scratch = fs.mkdtempSync(join(tmpdir(), "strata-metacopy-"));
  const place = (name: string): string => join(scratch, name);
  try {
    for (const name of ["lower", "lower/dir", "upper", "work", "merged"]) fs.mkdirSync(place(name));
    for (const name of FILES) fs.writeFileSync(place(`lower/${name}`), BIG);
    use(place);
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function openOverlay(place: (name: string) => string): Overlay {
  return new Overlay({
    stack: [openDirectoryLayer(place("lower"))],
    upper: openDirectoryUpper(place("upper"), place("work")),
  });
}

/** While `use` runs, kernel overlayfs shows the same directories on merged/. */
function withKernel(place: (name: string) => string, use: () => void): void {
  const options = `lowerdir=${place("lower")},upperdir=${place("upper")},workdir=${place("work")}`;
  const type = bytesOf("overlay");
  const all = bytesOf(`${options},metacopy=on,redirect_dir=on`);
  mount(type, bytesOf(place("merged")), type, 0, all);
  try {
    use();
  } finally {
    umount2(bytesOf(place("merged")), MNT_DETACH);
  }
}

function nodeAt(overlay: Overlay, path: string): Node {
  let at: Node | undefined = overlay.root;
  for (const name of path.split("/")) {
    at = at === undefined ? undefined : overlay.lookup(at, bytesOf(name) as Name);
  }
  ok(at !== undefined);
  return at;
}

/** 512-byte blocks that the upper's files take. */
function blocksIn(directory: string): number {
  let blocks = 0;
  for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) blocks += fs.statSync(join(entry.parentPath, entry.name)).blocks;
  }
  return blocks;
}

function changeAll(overlay: Overlay): void {
  const { root } = overlay;
  const named = (name: string): Name => bytesOf(name) as Name;
  overlay.setattr(nodeAt(overlay, "chmod"), { mode: 0o4711 });
  overlay.setattr(nodeAt(overlay, "chown"), { uid: 1234, gid: 4321 });
  const omitted = { sec: 0, nsec: UTIME_OMIT };
  overlay.setattr(nodeAt(overlay, "times"), { mtime: { sec: 77, nsec: 5 }, atime: omitted });
  overlay.setxattr(nodeAt(overlay, "xattr"), bytesOf("user.own"), Buffer.from("value"), 0);
  overlay.rename(root, named("moved"), nodeAt(overlay, "dir"), named("new"));
  overlay.link(nodeAt(overlay, "linked"), nodeAt(overlay, "dir"), named("link"));
  overlay.setattr(nodeAt(overlay, "dir/moved"), { mode: 0o600 });
  overlay.rename(root, named("dir"), root, named("elsewhere"));
  overlay.rename(nodeAt(overlay, "elsewhere"), named("moved"), root, named("out"));
}

test("metadata-only copy-up: kernel overlayfs shows and completes what we wrote", { skip }, () => {
  withTree((place) => {
    const overlay = openOverlay(place);
    changeAll(overlay);
    const ours = snapshotOverlay(overlay, { times: true });
    overlay.close();
    strictEqual(blocksIn(place("upper")) < 8 * FILES.length, true, "no data were copied");
    withKernel(place, () => {
      const tree = snapshotTree(directoryTree(place("merged")), { times: true });
      deepStrictEqual(tree, ours);
      fs.appendFileSync(join(place("merged"), "elsewhere/new"), "more");
    });
    const again = openOverlay(place);
    strictEqual(again.stat(nodeAt(again, "elsewhere/new")).sizeBytes, BIG.length + 4);
    again.close();
  });
});

test("metadata-only copy-up: what kernel overlayfs wrote is shown, and written to", {
  skip,
}, () => {
  withTree((place) => {
    const merged = (name: string): string => join(place("merged"), name);
    withKernel(place, () => {
      fs.chmodSync(merged("chmod"), 0o640);
      fs.chownSync(merged("chown"), 1234, 4321);
      fs.chmodSync(merged("moved"), 0o600);
      fs.renameSync(merged("moved"), merged("dir/new"));
      fs.linkSync(merged("linked"), merged("dir/link"));
      fs.renameSync(merged("dir"), merged("elsewhere"));
    });
    const overlay = openOverlay(place);
    const node = nodeAt(overlay, "elsewhere/new");
    strictEqual(overlay.dataPlace(node), "lower");
    const handle = overlay.open(node, O_RDWR);
    const isPartial = partialSkip() === false;
    strictEqual(overlay.dataPlace(node), isPartial ? "both" : "upper");
    handle.write(Buffer.from("written"), 0, 7, 100_000);
    handle.close();
    const wanted = Buffer.from(BIG);
    wanted.write("written", 100_000);
    const readByKernel = (): void =>
      withKernel(place, () => fs.readFileSync(merged("elsewhere/new")));
    if (isPartial) throws(readByKernel, { code: "EIO" });
    overlay.filling.finish((error) => {
      throw error;
    });
    overlay.close();
    withKernel(place, () => {
      ok(fs.readFileSync(merged("elsewhere/new")).equals(wanted));
      ok(fs.readFileSync(merged("elsewhere/link")).equals(BIG));
      ok(fs.readFileSync(merged("chown")).equals(BIG));
      strictEqual(fs.statSync(merged("elsewhere/new")).mode & 0o7777, 0o600);
    });
  });
});

test("metadata-only copy-up: all names of a lower file change, without a copy", { skip }, () => {
  withTree((place) => {
    fs.linkSync(place("lower/two"), place("lower/dir/second"));
    const overlay = openOverlay(place);
    overlay.setattr(nodeAt(overlay, "two"), { mode: 0o604 });
    strictEqual(blocksIn(place("work")) < 16, true);
    const named = (name: string): Name => bytesOf(name) as Name;
    overlay.rename(overlay.root, named("two"), overlay.root, named("renamed"));
    for (let turn = 0; turn < 2; turn++) {
      const again = turn === 0 ? overlay : openOverlay(place);
      for (const name of ["renamed", "dir/second"]) {
        const node = nodeAt(again, name);
        strictEqual(again.stat(node).mode & 0o7777, 0o604);
        const handle = again.open(node, O_RDWR);
        const found = Buffer.alloc(BIG.length);
        handle.read(found, 0, found.length, 0);
        ok(found.equals(BIG));
        handle.close();
      }
      again.close();
    }
  });
});

test("metadata-only copy-up: a file whose data are nowhere is EIO, not zeros", { skip }, () => {
  withTree((place) => {
    const overlay = openOverlay(place);
    overlay.setattr(nodeAt(overlay, "chmod"), { mode: 0o600 });
    overlay.close();
    fs.unlinkSync(place("lower/chmod"));
    const again = openOverlay(place);
    throws(() => nodeAt(again, "chmod"), { code: "EIO" });
    again.close();
  });
});
