// Uppers that are frozen while the tree is used: what is open goes on, numbers and link counts stay,
// a new mount shows the same, and each frozen upper, archived by itself, is the layer that it was.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Layer,
  memoryDisk,
  memoryLayer,
  openDirectoryUpper,
  type UpperLayer,
} from "../../src/layer/index.js";
import { type Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name, ROOT_PATH } from "../../src/path.js";
import { O_RDWR } from "../../src/sys/index.js";
import { layerOfChanges } from "./diff-layer.js";
import { layersIn, upperAt } from "./directory-layers.js";
import { buildLayer, type DirectorySpec, layerSpec, newInode } from "./layer-spec.js";
import { mergeSpecs } from "./model.js";
import { operation } from "./operation.js";
import { seedRoot } from "./seed-root.js";
import { snapshotModel, snapshotOverlay } from "./snapshot.js";
import { namesIn, Worlds } from "./worlds.js";

const isRoot = process.getuid?.() === 0;
const layers = fc.array(layerSpec, { minLength: 1, maxLength: 3 });
/** Batches of operations; after each the upper is frozen. */
const batches = fc.array(fc.array(operation, { maxLength: 15 }), { minLength: 2, maxLength: 4 });
const exact = { links: true };

/** Where the layers of one run are, and how they are opened anew. */
interface Disk {
  /** Topmost first. */
  openStack(): Layer[];
  /** The n-th upper, which is empty at first. */
  openUpper(n: number): UpperLayer;
  /** The same to be read only, perhaps beside whoever has it. */
  openFrozen(n: number): UpperLayer;
}

/** st_ino by path. */
function numbersOf(overlay: Overlay): Record<string, bigint> {
  const numbers: Record<string, bigint> = {};
  const walk = (node: Node, path: string): void => {
    numbers[path] = node.ino;
    if (!node.isDirectory) return;
    overlay.reference(node);
    const listing = overlay.opendir(node);
    for (const name of namesIn(listing) as Name[]) {
      const child = overlay.lookup(node, name);
      if (child !== undefined) walk(child, `${path}/${name}`);
    }
    listing.close();
    overlay.forget(node);
  };
  walk(overlay.root, "");
  return numbers;
}

function run(
  specs: readonly DirectorySpec[],
  disk: Disk,
  steps: readonly (readonly Step[])[],
): void {
  let count = 0;
  const mount = (): Overlay =>
    new Overlay({
      stack: disk.openStack(),
      frozen: Array.from({ length: count }, (_, n) => disk.openFrozen(n)).reverse(),
      upper: disk.openUpper(count),
    });
  const first = disk.openUpper(0);
  seedRoot(first, disk.openStack());
  first.close();
  const worlds = new Worlds(mergeSpecs(specs), mount);
  for (const [index, batch] of steps.entries()) {
    for (const step of batch) worlds.run(step);
    const before = numbersOf(worlds.overlay);
    let commits = 0;
    worlds.overlay.freeze(disk.openUpper(++count), () => {
      commits += 1;
    });
    strictEqual(commits, 1);
    deepStrictEqual(snapshotOverlay(worlds.overlay, exact), snapshotModel(worlds.root, exact));
    deepStrictEqual(numbersOf(worlds.overlay), before, "numbers stay when the upper is frozen");
    if (index % 2 === 1) {
      worlds.remount();
      deepStrictEqual(snapshotOverlay(worlds.overlay, exact), snapshotModel(worlds.root, exact));
      deepStrictEqual(numbersOf(worlds.overlay), before, "and when it is mounted again");
    }
  }
  expectLayers(worlds, disk, count);
  worlds.closeHandles();
  worlds.overlay.close();
}

type Step = Parameters<Worlds["run"]>[0];

/** Each upper as an archive on the archives below it gives the same tree as all of them in place. */
function expectLayers(worlds: Worlds, disk: Disk, count: number): void {
  const expected = snapshotOverlay(worlds.overlay);
  const archived: Layer[] = [];
  for (let n = 0; n <= count; n++) {
    const frozen = Array.from({ length: n }, (_, below) => disk.openFrozen(below)).reverse();
    const level = new Overlay({ stack: disk.openStack(), frozen, upper: disk.openFrozen(n) });
    const changes = [...level.changes()];
    // Who applies an archive gives a root that it does not tell the attributes of the one below.
    const root = level.tree();
    if (changes[0]?.path !== "") {
      changes.unshift({
        kind: "entry",
        path: ROOT_PATH,
        stat: root.stat(),
        xattrs: root.xattrs(),
      });
    }
    archived.unshift(layerOfChanges(changes));
    level.close();
  }
  const whole = new Overlay({ stack: [...archived, ...disk.openStack()] });
  deepStrictEqual(snapshotOverlay(whole), expected);
  whole.close();
}

test("Overlay.freeze: in memory, anything may have happened before and anything may follow", () => {
  fc.assert(
    fc.property(layers, batches, (specs, steps) => {
      const own = memoryDisk();
      const stack = specs.map((spec) => buildLayer(spec)).reverse();
      const uppers = new Map<number, UpperLayer>();
      const openUpper = (n: number): UpperLayer => {
        const upper = uppers.get(n) ?? memoryLayer({ disk: own });
        uppers.set(n, upper);
        return upper;
      };
      run(specs, { openStack: () => stack, openUpper, openFrozen: openUpper }, steps);
    }),
    { numRuns: 200 },
  );
});

test("Overlay.freeze: on the disk, likewise", {
  skip: isRoot ? false : "needs root: owners and trusted attributes",
}, () => {
  fc.assert(
    fc.property(layers, batches, (specs, steps) => {
      const scratch = mkdtempSync(join(tmpdir(), "strata-freeze-"));
      try {
        const { open } = layersIn(scratch, specs);
        const openUpper = (n: number): UpperLayer => upperAt(join(scratch, `upper${n}`));
        const openFrozen = (n: number): UpperLayer =>
          openDirectoryUpper(join(scratch, `upper${n}/upper`), join(scratch, `upper${n}/work`), {
            observe: true,
          });
        run(specs, { openStack: open, openUpper, openFrozen }, steps);
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    }),
    { numRuns: 12 },
  );
});

test("Overlay.freeze: what is written past it moves on with its inode, an empty file stays", {
  skip: isRoot ? false : "needs root: owners and trusted attributes",
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), "strata-freeze-"));
  const { open } = layersIn(scratch, [
    { kind: "directory", mode: 0o755, opaque: false, children: new Map() },
  ]);
  const at = (n: number): UpperLayer => upperAt(join(scratch, `upper${n}`));
  const overlay = new Overlay({ stack: open(), upper: at(0) });
  try {
    const directory = overlay.mkdir(overlay.root, name("d"), newInode("directory", 0o2750));
    overlay.reference(directory);
    const made = overlay.create(directory, name("log"), newInode("file", 0o640), O_RDWR);
    overlay.setxattr(made.node, bytesOf("user.kept"), Buffer.from("yes"), 0);
    const gone = overlay.create(directory, name("gone"), newInode("file", 0o600), O_RDWR);
    const { handle } = made;
    const past = openSync(join(scratch, "upper0/upper/d/log"), "a");
    writeSync(past, "before ");
    const before = overlay.stat(made.node);
    const times = overlay.stat(directory);
    overlay.unlink(directory, name("gone"));
    const moved = overlay.freeze(at(1), () => undefined, [made.node, gone.node]);
    deepStrictEqual(moved, [made.node, gone.node]);
    writeSync(past, "after");
    strictEqual(gone.handle.write(Buffer.from("x"), 0, 1, 0), 1);
    const after = overlay.stat(made.node);
    deepStrictEqual([after.ino, after.nlink, after.sizeBytes], [before.ino, 1, 12]);
    strictEqual(overlay.stat(directory).ino, times.ino);
    const content = Buffer.alloc(12);
    strictEqual(handle.read(content, 0, 12, 0), 12);
    strictEqual(content.toString(), "before after");
    const left = statSync(join(scratch, "upper0/upper/d/log"), { bigint: true });
    deepStrictEqual([left.size, left.mode, left.ino === before.ino], [0n, 0o100640n, false]);
    closeSync(past);
    gone.handle.close();
    handle.close();
    // Taken away again, it must not come back from the frozen upper.
    overlay.unlink(directory, name("log"));
    strictEqual(overlay.lookup(directory, name("log")), undefined);
    overlay.forget(directory);
  } finally {
    overlay.close();
    rmSync(scratch, { recursive: true, force: true });
  }
});

function name(text: string): Name {
  return bytesOf(text) as Name;
}
