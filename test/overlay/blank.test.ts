// Changes of metadata whose copy is made of a file that was made before: the same in all that shows and lies on
// the disk as without; and nothing of it stays anywhere.

import { deepStrictEqual, notDeepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { errno, isFsError } from "../../src/errors.js";
import { type AttrChange, openDirectoryLayer, openDirectoryUpper } from "../../src/layer/index.js";
import { type Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import {
  AT_FDCWD,
  FS_NODUMP_FL,
  getInodeFlags,
  getxattrAt,
  listxattrAt,
  O_RDONLY,
  O_RDWR,
  setInodeFlags,
  setxattrAt,
} from "../../src/sys/index.js";
import { partialSkip } from "./partial-world.js";

const skip =
  partialSkip() || (process.geteuid?.() === 0 ? false : "only root's copies are made so");
const CONTENT = Buffer.alloc(200_000, "what lies below ");
/** Each with what its copy must take along. */
const FILES = ["plain", "secret", "owned", "marked", "kept", "listed", "linked"];
/** rw-r----- and user 4711 rw- (acl(5), linux/posix_acl_xattr.h). */
const ACL = Buffer.from(
  "0200000001000600ffffffff0200060067120000" + "04000400ffffffff10000600ffffffff20000000ffffffff",
  "hex",
);

function makeLower(folder: string): void {
  fs.mkdirSync(folder);
  for (const name of FILES) {
    fs.writeFileSync(join(folder, name), CONTENT, { mode: 0o644 });
    fs.utimesSync(join(folder, name), 1_000_000_000.25, 1_100_000_000.5);
  }
  fs.chmodSync(join(folder, "secret"), 0o400);
  fs.chownSync(join(folder, "owned"), 4711, 4712);
  fs.linkSync(join(folder, "linked"), join(folder, "linked-2"));
  const at = (name: string) => bytesOf(join(folder, name));
  setxattrAt(AT_FDCWD, at("marked"), bytesOf("user.note"), Buffer.from("of interest"));
  setxattrAt(AT_FDCWD, at("listed"), bytesOf("system.posix_acl_access"), ACL);
  const fd = fs.openSync(join(folder, "kept"), "r");
  const flags = getInodeFlags(fd, "flags");
  flags.writeUInt32LE(flags.readUInt32LE(0) | FS_NODUMP_FL, 0);
  setInodeFlags(fd, "flags", flags);
  fs.closeSync(fd);
}

class Tree implements Disposable {
  readonly #scratch = fs.mkdtempSync(join(tmpdir(), "strata-blank-"));
  overlay: Overlay;

  constructor() {
    makeLower(this.path("lower"));
    for (const name of ["upper", "work"]) fs.mkdirSync(this.path(name));
    this.overlay = this.open();
  }

  open(upper = "upper", work = "work"): Overlay {
    return new Overlay({
      stack: [openDirectoryLayer(this.path("lower"))],
      upper: openDirectoryUpper(this.path(upper), this.path(work)),
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

  change(name: string, change: AttrChange): void {
    this.overlay.setattr(this.node(name), change);
  }

  /** What waits in the work directory. */
  waiting(work = "work"): string[] {
    return fs.readdirSync(this.path(`${work}/work`)).filter((name) => name !== "whiteout");
  }

  /** Of a file's copy all that must not depend on how it was made. */
  onDisk(name: string): unknown[] {
    const path = this.path(`upper/${name}`);
    const { mode, uid, gid, size, mtimeNs, atimeNs, nlink } = fs.lstatSync(path, { bigint: true });
    const xattrs = listxattrAt(AT_FDCWD, bytesOf(path)).map((xattr) => {
      // The number of the lower file: each tree has its own.
      const isNumber = xattr.endsWith("strata.ino");
      return [xattr, isNumber ? 0 : getxattrAt(AT_FDCWD, bytesOf(path), xattr)?.toString("hex")];
    });
    const fd = fs.openSync(path, "r");
    const flags = getInodeFlags(fd, "flags").readUInt32LE(0) & FS_NODUMP_FL;
    fs.closeSync(fd);
    return [mode, uid, gid, size, mtimeNs, atimeNs, nlink, xattrs.sort(), flags];
  }

  content(name: string): Buffer {
    const handle = this.overlay.open(this.node(name), O_RDONLY);
    const bytes = Buffer.alloc(CONTENT.length);
    strictEqual(handle.read(bytes, 0, bytes.length, 0), CONTENT.length);
    handle.close();
    return bytes;
  }

  [Symbol.dispose](): void {
    this.overlay.close();
    fs.rmSync(this.#scratch, { recursive: true, force: true });
  }
}

const CHANGES: readonly AttrChange[] = [
  { mode: 0o600 },
  { mode: 0o755 },
  { uid: 4713, gid: 4714 },
  { mtime: { sec: 1_234_567_890, nsec: 5 } },
];

test("blank: a copy made of one is the copy that is made without", { skip }, () => {
  for (const change of CHANGES) {
    using one = new Tree();
    using other = new Tree();
    for (const name of FILES) {
      one.overlay.rehearsal.makeReady();
      const [blank] = one.waiting();
      ok(blank !== undefined);
      const { ino } = fs.statSync(one.path(`work/work/${blank}`));
      one.change(name, change);
      other.change(name, change);
      deepStrictEqual(one.waiting(), [], name);
      const shown = one.overlay.stat(one.node(name));
      const plain = other.overlay.stat(other.node(name));
      const keys = ["mode", "uid", "gid", "sizeBytes", "mtimeSec", "mtimeNsec", "nlink"] as const;
      for (const key of keys) strictEqual(shown[key], plain[key], `${name}: ${key}`);
      deepStrictEqual(one.content(name), CONTENT, name);
      // Files of several names lie in the index.
      if (name === "linked") continue;
      strictEqual(fs.statSync(one.path(`upper/${name}`)).ino, ino, `${name} was made of it`);
      deepStrictEqual(one.onDisk(name), other.onDisk(name), name);
    }
  }
});

/** Writes a byte in the middle of the file. */
function writeByte(tree: Tree, name: string): Buffer {
  const handle = tree.overlay.open(tree.node(name), O_RDWR);
  strictEqual(handle.write(Buffer.from("!"), 0, 1, 150_001), 1);
  handle.close();
  const wanted = Buffer.from(CONTENT);
  wanted[150_001] = 33;
  return wanted;
}

test("blank: a first write can be of one, too, where the file becomes a partial one", {
  skip,
}, () => {
  using one = new Tree();
  using other = new Tree();
  for (const name of FILES) {
    one.overlay.rehearsal.makeReady();
    const [blank] = one.waiting();
    ok(blank !== undefined);
    const { ino } = fs.statSync(one.path(`work/work/${blank}`));
    const wanted = writeByte(one, name);
    writeByte(other, name);
    strictEqual(one.overlay.dataPlace(one.node(name)), other.overlay.dataPlace(other.node(name)));
    deepStrictEqual(one.content(name), wanted, name);
    deepStrictEqual(fs.readFileSync(one.path(`lower/${name}`)), CONTENT);
    if (name === "linked") continue;
    // Where files can be cloned it waits on.
    const isOfIt = fs.statSync(one.path(`upper/${name}`)).ino === ino;
    strictEqual(isOfIt, one.waiting().length === 0, name);
    const [mode, uid, gid, size, , , ...rest] = one.onDisk(name);
    const [, , , , , , ...restWithout] = other.onDisk(name);
    deepStrictEqual([mode, uid, gid, size], other.onDisk(name).slice(0, 4), name);
    deepStrictEqual(rest, restWithout, name);
  }
  // What is read back from the disk is the same.
  const wanted = Buffer.from(CONTENT);
  wanted[150_001] = 33;
  one.overlay.close();
  one.overlay = one.open();
  deepStrictEqual(one.waiting(), []);
  for (const name of FILES) deepStrictEqual(one.content(name), wanted, name);
});

test("blank: none for a file that is copied whole", { skip }, () => {
  using tree = new Tree();
  fs.writeFileSync(tree.path("lower/small"), "little");
  tree.overlay.rehearsal.makeReady();
  const handle = tree.overlay.open(tree.node("small"), O_RDWR);
  strictEqual(handle.write(Buffer.from("L"), 0, 1, 0), 1);
  handle.close();
  strictEqual(tree.waiting().length, 1);
  tree.overlay.filling.finish((error) => {
    throw error;
  });
  strictEqual(fs.readFileSync(tree.path("upper/small"), "latin1"), "Little");
});

test("blank: wanted after the first copy only; none stays where the upper is closed, frozen or was killed", {
  skip,
}, () => {
  using tree = new Tree();
  const { rehearsal } = tree.overlay;
  strictEqual(rehearsal.isUnready, false);
  tree.content("plain");
  strictEqual(rehearsal.isUnready, false);
  tree.change("plain", { mode: 0o600 });
  strictEqual(rehearsal.isUnready, true);
  deepStrictEqual(tree.waiting(), []);
  rehearsal.makeReady();
  strictEqual(rehearsal.isUnready, false);
  strictEqual(tree.waiting().length, 1);
  rehearsal.makeReady();
  strictEqual(tree.waiting().length, 1);

  // What a kill would leave now.
  for (const name of ["upper", "work"]) {
    execFileSync("cp", ["-a", tree.path(name), tree.path(`${name}-killed`)]);
  }
  strictEqual(tree.waiting("work-killed").length, 1);
  tree.open("upper-killed", "work-killed").close();
  deepStrictEqual(tree.waiting("work-killed"), []);

  for (const name of ["upper2", "work2"]) fs.mkdirSync(tree.path(name));
  const second = openDirectoryUpper(tree.path("upper2"), tree.path("work2"));
  tree.overlay.freeze(second, () => undefined);
  deepStrictEqual(tree.waiting(), []);
  tree.change("secret", { mode: 0o640 });
  tree.overlay.rehearsal.makeReady();
  strictEqual(tree.waiting("work2").length, 1);
  tree.overlay.close();
  deepStrictEqual(tree.waiting("work2"), []);
  tree.overlay = tree.open("upper2", "work2");
  strictEqual(tree.overlay.stat(tree.node("secret")).mode & 0o777, 0o640);
});

test("blank: a change that fails takes it with it, and the next one is made without", {
  skip,
}, () => {
  using tree = new Tree();
  tree.overlay.rehearsal.makeReady();
  strictEqual(tree.waiting().length, 1);
  const node = tree.node("owned");
  fs.writeFileSync(tree.path("upper/owned"), "in the way");
  throws(
    () => tree.overlay.setattr(node, { mode: 0o600 }),
    (error) => isFsError(error, errno.EEXIST),
  );
  deepStrictEqual(tree.waiting(), []);
  fs.rmSync(tree.path("upper/owned"));
  tree.overlay.setattr(node, { mode: 0o600 });
  deepStrictEqual(tree.content("owned"), CONTENT);
  notDeepStrictEqual(tree.onDisk("owned"), undefined);
});
