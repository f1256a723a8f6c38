// Rehearsed copies leave nothing: neither in the upper nor beside it, neither in the tree nor in what
// the overlay knows. What a crash in the middle of one leaves goes at the next opening.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openDirectoryLayer, openDirectoryUpper } from "../../src/layer/index.js";
import { type Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import { AT_FDCWD, getxattrAt, listxattrAt, O_RDONLY, O_RDWR } from "../../src/sys/index.js";
import { partialSkip } from "./partial-world.js";

const skip = partialSkip();
const BIG = Buffer.alloc(300_000, "0123456789abcde");

class Tree implements Disposable {
  readonly #scratch = fs.mkdtempSync(join(tmpdir(), "strata-rehearsal-"));
  overlay: Overlay;

  constructor() {
    for (const name of ["lower/dir", "upper", "work"]) {
      fs.mkdirSync(join(this.#scratch, name), { recursive: true });
    }
    for (const name of ["big", "other", "dir/in"]) {
      fs.writeFileSync(join(this.#scratch, "lower", name), BIG, { mode: 0o640 });
    }
    this.overlay = this.open();
  }

  open(): Overlay {
    return new Overlay({
      stack: [openDirectoryLayer(this.path("lower"))],
      upper: openDirectoryUpper(this.path("upper"), this.path("work")),
    });
  }

  path(name: string): string {
    return join(this.#scratch, name);
  }

  node(name: string): Node {
    const node = this.overlay.lookup(this.overlay.root, bytesOf(name) as Name);
    ok(node !== undefined);
    return node;
  }

  /** All names of upper and work directory with what a change of them would change. */
  onDisk(): Record<string, unknown> {
    const seen: Record<string, unknown> = {};
    for (const top of ["upper", "work"]) {
      for (const name of fs.readdirSync(this.path(top), { recursive: true, encoding: "utf8" })) {
        const path = this.path(`${top}/${name}`);
        const { mode, size, mtimeNs } = fs.lstatSync(path, { bigint: true });
        const xattrs = listxattrAt(AT_FDCWD, bytesOf(path)).map(
          (xattr) => `${xattr}=${getxattrAt(AT_FDCWD, bytesOf(path), xattr)?.toString("hex")}`,
        );
        // Names come and go in the work directory.
        seen[`${top}/${name}`] = [mode, size, name === "work" ? 0 : mtimeNs, xattrs.sort()].join();
      }
    }
    return seen;
  }

  /** Rehearses until there is nothing left to; how often. */
  rehearse(): number {
    const { rehearsal } = this.overlay;
    let count = 0;
    for (; rehearsal.isDue; count++) rehearsal.step();
    return count;
  }

  content(name: string): Buffer {
    const handle = this.overlay.open(this.node(name), O_RDONLY);
    const bytes = Buffer.alloc(BIG.length);
    strictEqual(handle.read(bytes, 0, bytes.length, 0), BIG.length);
    handle.close();
    return bytes;
  }

  [Symbol.dispose](): void {
    this.overlay.close();
    fs.rmSync(this.#scratch, { recursive: true, force: true });
  }
}

function writeByte(tree: Tree, name: string): Buffer {
  const handle = tree.overlay.open(tree.node(name), O_RDWR);
  strictEqual(handle.write(Buffer.from("!"), 0, 1, 150_001), 1);
  handle.close();
  const wanted = Buffer.from(BIG);
  wanted[150_001] = 33;
  return wanted;
}

test("rehearsal: nothing is due before a change; a change of metadata is rehearsed and leaves nothing", {
  skip,
}, () => {
  using tree = new Tree();
  strictEqual(tree.rehearse(), 0);
  tree.content("big");
  strictEqual(tree.rehearse(), 0);
  tree.overlay.setattr(tree.node("big"), { mode: 0o600 });
  const [before, stat] = [tree.onDisk(), tree.overlay.stat(tree.node("big"))];
  ok(tree.rehearse() > 10);
  deepStrictEqual(tree.onDisk(), before);
  deepStrictEqual(tree.overlay.stat(tree.node("big")), stat);
  strictEqual(tree.overlay.filling.isWaiting, false);
  deepStrictEqual(tree.content("big"), BIG);
  strictEqual(tree.overlay.dataPlace(tree.node("other")), "lower");
  // Enough is enough.
  tree.overlay.setattr(tree.node("other"), { mode: 0o600 });
  strictEqual(tree.rehearse(), 0);
});

test("rehearsal: a first write is rehearsed, and only what was written is filled in", {
  skip,
}, () => {
  using tree = new Tree();
  const wanted = writeByte(tree, "big");
  const before = tree.onDisk();
  ok(tree.rehearse() > 10);
  deepStrictEqual(tree.onDisk(), before);
  deepStrictEqual(tree.content("big"), wanted);
  strictEqual(tree.overlay.dataPlace(tree.node("big")), "both");
  strictEqual(tree.overlay.filling.isWaiting, true);
  tree.overlay.filling.finish((error) => {
    throw error;
  });
  strictEqual(tree.overlay.filling.isWaiting, false);
  deepStrictEqual(tree.content("big"), wanted);
  deepStrictEqual(tree.content("other"), BIG);
  deepStrictEqual(fs.readdirSync(tree.path("work/work")), ["whiteout"]);
  deepStrictEqual(fs.readFileSync(tree.path("lower/big")), BIG);
});

test("rehearsal: it goes on after the upper is frozen, and ends with the first error", {
  skip,
}, () => {
  using tree = new Tree();
  writeByte(tree, "big");
  tree.overlay.rehearsal.step();
  for (const name of ["upper2", "work2"]) fs.mkdirSync(tree.path(name));
  const second = openDirectoryUpper(tree.path("upper2"), tree.path("work2"));
  tree.overlay.freeze(second, () => undefined);
  ok(tree.rehearse() > 10);
  deepStrictEqual(fs.readdirSync(tree.path("upper2")), []);
  deepStrictEqual(fs.readdirSync(tree.path("work2/work")), ["whiteout"]);

  using other = new Tree();
  other.overlay.setattr(other.node("big"), { mode: 0o600 });
  fs.writeFileSync(other.path("work/work/rehearsal"), "in the way");
  let failed = false;
  try {
    other.rehearse();
  } catch {
    failed = true;
  }
  ok(failed);
  strictEqual(other.rehearse(), 0);
  other.overlay.close();
  other.overlay = other.open();
  deepStrictEqual(fs.readdirSync(other.path("work/work")), ["whiteout"]);
  strictEqual(other.overlay.stat(other.node("big")).mode & 0o777, 0o600);
});
