// Single claims about the overlay, on memory layers: what the random tests cover only by chance,
// said by name. Whole behaviours are in model.test.ts, theorem.test.ts and crash.test.ts.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { errno, FsError } from "../../src/errors.js";
import {
  type Layer,
  type LayerFile,
  type MemoryUpper,
  memoryDisk,
  memoryLayer,
} from "../../src/layer/index.js";
import { type Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import { O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "../../src/sys/index.js";
import { newInode } from "./layer-spec.js";
import { seedRoot } from "./seed-root.js";

function name(text: string): Name {
  return bytesOf(text) as Name;
}

/** A layer made with the overlay itself, from a list of paths: "d/" a directory, "a=b" a hard link. */
function layerWith(paths: readonly string[], upper: MemoryUpper = memoryLayer()): MemoryUpper {
  const overlay = new Overlay({ stack: [], upper });
  for (const path of paths) {
    const [wanted = "", original] = path.split("=");
    const parts = wanted.replace(/\/$/, "").split("/");
    const last = name(parts.pop() ?? "");
    const parent = nodeAt(overlay, parts.join("/"));
    if (original !== undefined) overlay.link(nodeAt(overlay, original), parent, last);
    else if (wanted.endsWith("/")) overlay.mkdir(parent, last, newInode("directory", 0o755));
    else {
      const { handle } = overlay.create(parent, last, newInode("file", 0o644), O_RDWR);
      handle.write(Buffer.from(wanted), 0, wanted.length, 0);
      handle.close();
    }
  }
  return upper;
}

function nodeAt(overlay: Overlay, path: string): Node {
  let node = overlay.root;
  for (const part of path.split("/").filter((piece) => piece !== "")) {
    const next = overlay.lookup(node, name(part));
    ok(next !== undefined, `"${path}" is there`);
    node = next;
  }
  overlay.reference(node);
  return node;
}

function listed(overlay: Overlay, path: string): string[] {
  const listing = overlay.opendir(nodeAt(overlay, path));
  const names = listing.entries.map((entry) => entry.name as string);
  listing.close();
  return names.slice(2).sort();
}

function contentOf(overlay: Overlay, path: string): string {
  const handle = overlay.open(nodeAt(overlay, path), O_RDONLY);
  const bytes = Buffer.alloc(1000);
  const length = handle.read(bytes, 0, bytes.length, 0);
  handle.close();
  return bytes.toString("latin1", 0, length);
}

function withErrno(number: number): (error: unknown) => boolean {
  return (error) => error instanceof FsError && error.errno === number;
}

test("Overlay: without an upper every change is EROFS", () => {
  const overlay = new Overlay({ stack: [layerWith(["d/", "d/f"]).freeze()] });
  const { root } = overlay;
  const file = nodeAt(overlay, "d/f");
  const inode = newInode("file", 0o644);
  const refused = withErrno(errno.EROFS);
  ok(overlay.readOnly);
  throws(() => overlay.create(root, name("x"), inode, O_RDWR), refused);
  throws(() => overlay.mkdir(root, name("x"), newInode("directory", 0o755)), refused);
  throws(() => overlay.tmpfile(root, inode, O_RDWR), refused);
  throws(() => overlay.link(file, root, name("x")), refused);
  throws(() => overlay.unlink(nodeAt(overlay, "d"), name("f")), refused);
  throws(() => overlay.rmdir(root, name("d")), refused);
  throws(() => overlay.rename(root, name("d"), root, name("e")), refused);
  throws(() => overlay.open(file, O_WRONLY), refused);
  throws(() => overlay.open(file, O_RDONLY | O_TRUNC), refused);
  throws(() => overlay.setattr(file, { mode: 0 }), refused);
  throws(() => overlay.setxattr(file, bytesOf("user.x"), Buffer.alloc(0), 0), refused);
  throws(() => overlay.removexattr(file, bytesOf("user.x")), refused);
  strictEqual(contentOf(overlay, "d/f"), "d/f");
});

test("Overlay.lookup: a name of 256 bytes is ENAMETOOLONG, a name in a file ENOTDIR", () => {
  const overlay = new Overlay({ stack: [layerWith(["f"]).freeze()] });
  throws(() => overlay.lookup(overlay.root, name("x".repeat(256))), withErrno(errno.ENAMETOOLONG));
  throws(() => overlay.lookup(nodeAt(overlay, "f"), name("x")), withErrno(errno.ENOTDIR));
  strictEqual(overlay.lookup(overlay.root, name("x".repeat(255))), undefined);
});

test("Overlay.stat: inode numbers of layers on different devices are disjoint", () => {
  const base = layerWith(["a"]).freeze();
  const top = layerWith(["b"]).freeze();
  const overlay = new Overlay({ stack: [top, base] });
  const inos = ["a", "b"].map((path) => overlay.stat(nodeAt(overlay, path)).ino);
  strictEqual((inos[0] ?? 0n) >> 56n, 0n, "the first device's are shown as they are");
  strictEqual(new Set(inos).size, 2);
  strictEqual((inos[1] ?? 0n) >> 56n, 1n, "the second device's numbers have a high bit");
});

test("Overlay.stat: numbers that use the high bits themselves stay apart", () => {
  const high = memoryDisk();
  let next = 1n << 60n;
  const disk = { ...high, nextIno: () => next++ };
  const base = layerWith(["a", "b"], memoryLayer({ disk })).freeze();
  const overlay = (): Overlay => new Overlay({ stack: [base] });
  const shown = (mount: Overlay): bigint[] =>
    ["a", "b"].map((path) => mount.stat(nodeAt(mount, path)).ino);
  const first = shown(overlay());
  strictEqual(new Set(first).size, 2);
  for (const ino of first) strictEqual(ino >> 56n, 0xffn);
  deepStrictEqual(shown(overlay()), first);
});

test("Overlay.stat: after a lookup and a write it tells of the write", () => {
  const upper = layerWith(["f"]);
  const overlay = new Overlay({ stack: [], upper });
  const handle = overlay.open(nodeAt(overlay, "f"), O_RDWR);
  handle.write(Buffer.from("longer"), 0, 6, 0);
  strictEqual(overlay.stat(handle.node).sizeBytes, 6);
  strictEqual(overlay.stat(handle.node, handle).sizeBytes, 6);
});

test("Overlay.copyUp: nobody sees a difference, in times, numbers, links and listings", () => {
  const base = layerWith(["d/", "d/e/", "d/f", "d/g=d/f", "h"]).freeze();
  const upper = memoryLayer();
  seedRoot(upper, [base]);
  const overlay = new Overlay({ stack: [base], upper });
  const paths = ["", "d", "d/e", "d/f", "d/g", "h"];
  const seen = (): unknown[] =>
    paths.map((path) => {
      const node = nodeAt(overlay, path);
      const { ino, mode, uid, gid, mtimeSec, mtimeNsec, nlink, sizeBytes } = overlay.stat(node);
      const links = node.isDirectory ? 0 : nlink;
      const inside = node.isDirectory ? listed(overlay, path) : contentOf(overlay, path);
      return { path, ino, mode, uid, gid, mtimeSec, mtimeNsec, links, sizeBytes, inside };
    });
  const before = seen();
  for (const path of paths.reverse()) overlay.copyUp(nodeAt(overlay, path));
  paths.reverse();
  deepStrictEqual(seen(), before);
  for (const path of paths) ok(overlay.isUpper(nodeAt(overlay, path)));
});

/** A layer that fails the test when a file's content is asked for. */
function withoutReading(layer: Layer): Layer {
  return Object.assign(Object.create(layer) as Layer, {
    lookup: layer.lookup.bind(layer),
    open: (): LayerFile => {
      throw new FsError(errno.EIO, "read what is dropped");
    },
  });
}

test("Overlay.open: O_TRUNC of a lower file and a truncation to 0 read nothing of it", () => {
  const base = withoutReading(layerWith(["f", "g"]).freeze());
  const overlay = new Overlay({ stack: [base], upper: memoryLayer() });
  overlay.open(nodeAt(overlay, "f"), O_WRONLY | O_TRUNC).close();
  strictEqual(overlay.stat(nodeAt(overlay, "f")).sizeBytes, 0);
  strictEqual(overlay.setattr(nodeAt(overlay, "g"), { sizeBytes: 0 }).sizeBytes, 0);
});

test("Handle: opened on the lower file, it reads what is written after copy-up", () => {
  const base = layerWith(["f"]).freeze();
  const overlay = new Overlay({ stack: [base], upper: memoryLayer() });
  const file = nodeAt(overlay, "f");
  const old = overlay.open(file, O_RDONLY);
  const bytes = Buffer.alloc(3);
  strictEqual(old.read(bytes, 0, 3, 0), 1);
  const writer = overlay.open(file, O_RDWR);
  writer.write(Buffer.from("new"), 0, 3, 0);
  strictEqual(old.read(bytes, 0, 3, 0), 3);
  strictEqual(bytes.toString(), "new");
  throws(() => old.write(bytes, 0, 3, 0), withErrno(errno.EBADF));
  throws(() => old.truncate(0), withErrno(errno.EBADF));
});

test("Handle: a lower file that lost its only name can still be read and changed", () => {
  const base = layerWith(["f"]).freeze();
  const upper = memoryLayer();
  const overlay = new Overlay({ stack: [base], upper });
  const file = nodeAt(overlay, "f");
  const handle = overlay.open(file, O_RDONLY);
  overlay.unlink(overlay.root, name("f"));
  strictEqual(overlay.stat(file, handle).nlink, 0);
  const { mode, nlink, ino } = overlay.setattr(file, { mode: 0o600 });
  strictEqual(mode & 0o7777, 0o600);
  strictEqual(nlink, 0);
  strictEqual(ino, file.ino);
  const bytes = Buffer.alloc(1);
  strictEqual(handle.read(bytes, 0, 1, 0), 1);
  deepStrictEqual(upper.indexKeys(), []);
});

test("hard links: all names of a lower file change at once, also after a remount", () => {
  const base = layerWith(["d/", "d/f", "g=d/f"]).freeze();
  const upper = memoryLayer();
  const overlay = new Overlay({ stack: [base], upper });
  const handle = overlay.open(nodeAt(overlay, "g"), O_RDWR);
  handle.write(Buffer.from("X"), 0, 1, 0);
  handle.close();
  const remounted = new Overlay({ stack: [base], upper });
  for (const mount of [overlay, remounted]) {
    strictEqual(contentOf(mount, "d/f"), "X/f");
    strictEqual(contentOf(mount, "g"), "X/f");
    strictEqual(mount.stat(nodeAt(mount, "g")).nlink, 2);
    strictEqual(nodeAt(mount, "g"), nodeAt(mount, "d/f"));
  }
});

test("hard links: the link count survives removals, new names and remounts", () => {
  const base = layerWith(["a", "b=a", "c=a"]).freeze();
  const upper = memoryLayer();
  const mount = (): Overlay => new Overlay({ stack: [base], upper });
  const links = (overlay: Overlay, path: string): number =>
    overlay.stat(nodeAt(overlay, path)).nlink;
  let overlay = mount();
  overlay.unlink(overlay.root, name("a"));
  strictEqual(links(overlay, "b"), 2);
  overlay = mount();
  strictEqual(links(overlay, "b"), 2);
  overlay.link(nodeAt(overlay, "b"), overlay.root, name("d"));
  overlay.rename(overlay.root, name("c"), overlay.root, name("e"));
  strictEqual(links(overlay, "e"), 3);
  overlay = mount();
  for (const path of ["d", "b", "e"]) strictEqual(links(overlay, path), 3, path);
  for (const path of ["d", "b", "e"]) overlay.unlink(overlay.root, name(path));
  deepStrictEqual(upper.indexKeys(), [], "nothing stays in the index");
  deepStrictEqual(listed(mount(), ""), []);
});

test("hard links: of two recorded link counts, left by a crash, the later one holds", () => {
  const base = layerWith(["a", "b=a", "c=a"]).freeze();
  const upper = memoryLayer();
  const overlay = new Overlay({ stack: [base], upper });
  overlay.unlink(overlay.root, name("a"));
  const keys = upper.indexKeys();
  strictEqual(keys.length, 1);
  const earlier = bytesOf(keys[0]?.replace(/\.2$/, ".3") ?? "");
  upper.index(earlier, upper.createUnnamed(upper.root, newInode("file", 0), O_RDWR).node);
  const remounted = new Overlay({ stack: [base], upper });
  strictEqual(remounted.stat(nodeAt(remounted, "b")).nlink, 2);
  deepStrictEqual(upper.indexKeys(), [...keys, earlier], "looking changes nothing");
  remounted.setattr(remounted.root, { mode: 0o700 });
  deepStrictEqual(upper.indexKeys(), keys);
});

test("Overlay.rename: a merged directory takes its lower content along, and leaves none behind", () => {
  const base = layerWith(["d/", "d/low", "d/sub/", "d/sub/x"]).freeze();
  const middle = layerWith(["d/", "d/mid"]).freeze();
  const upper = memoryLayer();
  const mount = (): Overlay => new Overlay({ stack: [middle, base], upper });
  const overlay = mount();
  const { root } = overlay;
  overlay.mkdir(root, name("into"), newInode("directory", 0o755));
  overlay.rename(root, name("d"), nodeAt(overlay, "into"), name("moved"));
  overlay.mkdir(root, name("d"), newInode("directory", 0o755));
  overlay.rename(nodeAt(overlay, "into/moved"), name("sub"), root, name("sub2"));
  for (const each of [overlay, mount()]) {
    deepStrictEqual(listed(each, "into/moved"), ["low", "mid"]);
    deepStrictEqual(listed(each, "d"), []);
    strictEqual(contentOf(each, "sub2/x"), "d/sub/x");
  }
});

test("Overlay.rename: a new directory in the place of a removed one shows nothing of it", () => {
  const base = layerWith(["d/", "d/f"]).freeze();
  const upper = memoryLayer();
  const overlay = new Overlay({ stack: [base], upper });
  const { root } = overlay;
  overlay.mkdir(root, name("new"), newInode("directory", 0o755));
  overlay.unlink(nodeAt(overlay, "d"), name("f"));
  overlay.rename(root, name("new"), root, name("d"));
  overlay.mkdir(root, name("other"), newInode("directory", 0o755));
  overlay.rename(root, name("other"), root, name("d"), 2);
  for (const each of [overlay, new Overlay({ stack: [base], upper })]) {
    deepStrictEqual(listed(each, "d"), []);
    deepStrictEqual(listed(each, "other"), []);
  }
});

test("Overlay.rename: refusals are those of rename(2)", () => {
  const base = layerWith(["d/", "d/e/", "full/", "full/x", "f"]).freeze();
  const overlay = new Overlay({ stack: [base], upper: memoryLayer() });
  const { root } = overlay;
  const rename =
    (from: string, to: Node, as: string, flags = 0) =>
    (): void =>
      overlay.rename(root, name(from), to, name(as), flags);
  throws(rename("d", nodeAt(overlay, "d/e"), "x"), withErrno(errno.EINVAL));
  throws(rename("d", root, "f"), withErrno(errno.ENOTDIR));
  throws(rename("f", root, "d"), withErrno(errno.EISDIR));
  throws(rename("d", root, "full"), withErrno(errno.ENOTEMPTY));
  throws(rename("none", root, "x"), withErrno(errno.ENOENT));
  throws(rename("f", root, "d", 1), withErrno(errno.EEXIST));
  throws(rename("f", root, "none", 2), withErrno(errno.ENOENT));
  throws(rename("f", root, "d", 3), withErrno(errno.EINVAL));
  throws(rename("f", root, "g", 6), withErrno(errno.EINVAL));
  throws(rename("f", root, "g", 8), withErrno(errno.EINVAL));
  const inside = nodeAt(overlay, "d");
  throws(() => overlay.rename(inside, name("e"), root, name("d")), withErrno(errno.ENOTEMPTY));
});

test("DirectoryHandle: a listing stays as it is while the directory changes, until rewound", () => {
  const base = layerWith(["a", "b", "c"]).freeze();
  const overlay = new Overlay({ stack: [base], upper: memoryLayer() });
  const listing = overlay.opendir(overlay.root);
  const names = (): string[] => listing.entries.map((entry) => entry.name);
  const before = names();
  overlay.unlink(overlay.root, name("b"));
  overlay.rename(overlay.root, name("c"), overlay.root, name("d"));
  deepStrictEqual(names(), before);
  listing.rewind();
  deepStrictEqual(names().sort(), [".", "..", "a", "d"]);
  listing.close();
});

test("Overlay.rmdir: a directory whose content is hidden is empty, and made again it is", () => {
  const base = layerWith(["d/", "d/f"]).freeze();
  const upper = memoryLayer();
  const overlay = new Overlay({ stack: [base], upper });
  throws(() => overlay.rmdir(overlay.root, name("d")), withErrno(errno.ENOTEMPTY));
  overlay.unlink(nodeAt(overlay, "d"), name("f"));
  overlay.rmdir(overlay.root, name("d"));
  overlay.mkdir(overlay.root, name("d"), newInode("directory", 0o755));
  deepStrictEqual(listed(new Overlay({ stack: [base], upper }), "d"), []);
});

test("Overlay: a tree deeper than the stack is copied up, moved and told", () => {
  const depth = 12_000;
  const base = memoryLayer();
  let at = base.root as ReturnType<typeof base.create>;
  for (let level = 0; level < depth; level++) {
    at = base.create(at, name("d"), newInode("directory", 0o755), "absent");
  }
  base.create(at, name("f"), newInode("file", 0o644), "absent");
  const overlay = new Overlay({ stack: [base], upper: memoryLayer() });
  let node = overlay.root;
  for (let level = 0; level < depth; level++) {
    node = overlay.lookup(node, name("d")) ?? overlay.root;
    overlay.reference(node);
  }
  overlay.setattr(overlay.lookup(node, name("f")) ?? node, { mode: 0o600 });
  overlay.rename(node, name("f"), overlay.root, name("g"));
  strictEqual(overlay.stat(nodeAt(overlay, "g")).mode & 0o777, 0o600);
  const told = [...overlay.changes()].map(({ kind, path }) => `${kind} ${path.length}`);
  strictEqual(told.length, depth + 3);
  strictEqual(told.includes(`whiteout ${2 * depth + 1}`), true);
});

test("Overlay.setxattr: what the flags refuse copies nothing up", () => {
  const overlay = new Overlay({ stack: [layerWith(["f"]).freeze()], upper: memoryLayer() });
  const file = nodeAt(overlay, "f");
  const user = bytesOf("user.x");
  throws(() => overlay.setxattr(file, user, Buffer.from("1"), 2), withErrno(errno.ENODATA));
  throws(() => overlay.removexattr(file, user), withErrno(errno.ENODATA));
  ok(!overlay.isUpper(file));
  overlay.setxattr(file, user, Buffer.from("1"), 1);
  throws(() => overlay.setxattr(file, user, Buffer.from("2"), 1), withErrno(errno.EEXIST));
  strictEqual(overlay.getxattr(file, user)?.toString(), "1");
});

test("Overlay.forget: nodes that nobody has leave the tables, and come back the same", () => {
  const overlay = new Overlay({ stack: [layerWith(["d/", "d/f"]).freeze()], upper: memoryLayer() });
  const file = nodeAt(overlay, "d/f");
  strictEqual(nodeAt(overlay, "d/f"), file);
  overlay.forget(file, 2);
  const again = nodeAt(overlay, "d/f");
  ok(again !== file);
  strictEqual(again.ino, file.ino);
});

test("Overlay.copyFileRange: copies between files, refuses a range onto itself", () => {
  const overlay = new Overlay({ stack: [layerWith(["f"]).freeze()], upper: memoryLayer() });
  const from = overlay.open(nodeAt(overlay, "f"), O_RDWR);
  from.write(Buffer.from("0123456789"), 0, 10, 0);
  const made = overlay.create(overlay.root, name("g"), newInode("file", 0o644), O_RDWR);
  strictEqual(overlay.copyFileRange(from, 2, made.handle, 0, 5), 5);
  strictEqual(contentOf(overlay, "g"), "23456");
  throws(() => overlay.copyFileRange(from, 0, from, 2, 5), withErrno(errno.EINVAL));
  strictEqual(overlay.copyFileRange(from, 100, made.handle, 0, 5), 0);
});
