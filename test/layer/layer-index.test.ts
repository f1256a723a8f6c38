// The index of a layer: what is read from it is what is read from the disk, in every form that a
// layer has; it spares the disk; and one that is damaged or another tree's changes nothing.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import {
  checkLayerIndex,
  type DirectoryLayerOptions,
  isIndexOf,
  type Layer,
  type LayerNode,
  openDirectoryLayer,
  openIndexedLayer,
  WHITEOUT,
  writeLayerIndex,
} from "../../src/layer/index.js";
import { type ByteString, bytesOf, type Name } from "../../src/path.js";
import {
  AT_FDCWD,
  Descriptor,
  features,
  isDirectory,
  isRegular,
  isSymlink,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_WRONLY,
  openAt,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFREG,
  setxattrAt,
  symlinkAt,
  utimensAt,
} from "../../src/sys/index.js";
import { hostTree, materialize, Scratch } from "./host-tree.js";
import { contentOf } from "./layer-dump.js";

const isRoot = features().trustedXattr;
const DIALECTS: readonly DirectoryLayerOptions[] = [
  { whFiles: false, xattrPrefix: "trusted" },
  { whFiles: false, xattrPrefix: "user" },
  { whFiles: false, xattrPrefix: "user", ownership: "override" },
  { whFiles: false, followRedirects: false },
];

/** Everything that the layer says, times to the nanosecond among it. */
function sayings(layer: Layer): unknown[] {
  const all: unknown[] = [];
  const visit = (node: LayerNode, path: string): void => {
    const { stat } = node;
    const xattrs = layer.listxattr(node).sort();
    // Reading a directory or a link may change its access time; files of layers are opened without.
    const { atimeSec, atimeNsec, ...lasting } = stat;
    all.push({
      path,
      stat: isRegular(stat.mode) ? stat : lasting,
      marks: layer.marks(node),
      xattrs: xattrs.map((name) => [name, layer.getxattr(node, name)]),
      none: layer.getxattr(node, bytesOf("user.none")),
      target: isSymlink(stat.mode) ? layer.readlink(node) : undefined,
      content:
        isRegular(stat.mode) && stat.sizeBytes < 2 ** 20 ? contentOf(layer, node) : undefined,
    });
    if (!isDirectory(stat.mode)) return;
    const entries = layer.readdir(node).sort((a, b) => (a.name < b.name ? -1 : 1));
    all.push(entries, layer.lookup(node, bytesOf("absent") as Name));
    for (const { name } of entries) {
      const found = layer.lookup(node, name);
      ok(found !== undefined, `${path}/${name} is listed and there`);
      if (found === WHITEOUT) all.push("whiteout");
      else visit(found, `${path}/${name}`);
    }
  };
  visit(layer.root, "");
  return all;
}

function saidBy(open: () => Layer): unknown[] {
  const layer = open();
  try {
    return sayings(layer);
  } finally {
    layer.close();
  }
}

/** A tree of everything that this user can make. */
function fillAll(root: string): void {
  using top = new Descriptor(openAt(AT_FDCWD, bytesOf(root), O_RDONLY | O_DIRECTORY));
  const { fd } = top;
  const odd = "\xff\xfe \n\x01" as ByteString;
  mkdirAt(fd, odd, 0o700);
  mkdirAt(fd, bytesOf("empty"), 0o1777);
  mkdirSync(`${root}/d/e/f`, { recursive: true });
  for (const name of ["d/a", "d/b", "d/e/c", "d/e/f/Z", "d/é", "z"]) {
    writeFileSync(`${root}/${name}`, name.repeat(700));
  }
  writeFileSync(`${root}/d/nothing`, "");
  linkSync(`${root}/d/a`, `${root}/d/e/linked`);
  symlinkAt(bytesOf("\xfa/../x"), fd, bytesOf("link"));
  symlinkAt(bytesOf("t".repeat(4000)), fd, bytesOf("long"));
  mknodAt(fd, bytesOf("fifo"), S_IFIFO | 0o644, 0, 0);
  utimensAt(fd, bytesOf("z"), { atimeSec: -5, atimeNsec: 7, mtimeSec: -1, mtimeNsec: 999_999_999 });
  utimensAt(fd, bytesOf("d"), { atimeSec: 1, atimeNsec: 0, mtimeSec: 2 ** 33, mtimeNsec: 1 });
  closeFile(openAt(fd, "sparse" as ByteString, O_WRONLY | O_CREAT, 0o600));
  truncateSync(`${root}/sparse`, 2 ** 41);
  const value = Buffer.from([0, 255, 10]);
  for (let n = 0; n < 20; n++) setxattrAt(fd, bytesOf("z"), bytesOf(`user.n${n}`), value);
  // Beyond what an index keeps, where the file system takes it.
  setxattrAt(fd, bytesOf("d"), bytesOf("user.large"), Buffer.alloc(900, 1));
  setxattrAt(fd, bytesOf("d/b"), bytesOf("user.overlay.overlay.opaque"), Buffer.from("y"));
  setxattrAt(fd, bytesOf("d/b"), bytesOf("user.containers.override_stat"), record("7:8:4755:file"));
  setxattrAt(
    fd,
    bytesOf("z"),
    bytesOf("user.containers.override_stat"),
    record("1:1:0600:char-1-3"),
  );
  fillMarks(root, fd, "user");
  if (isRoot) fillAsRoot(root, fd);
}

function record(text: string): Buffer {
  return Buffer.from(text);
}

function closeFile(fd: number): void {
  new Descriptor(fd).close();
}

/** Opaque in both ways, whiteouts as xattrs, redirects, metadata-only files, recorded inode numbers. */
function fillMarks(root: string, fd: number, prefix: "user" | "trusted"): void {
  const set = (path: string, mark: string, text: string): void =>
    setxattrAt(fd, bytesOf(path), bytesOf(`${prefix}.overlay.${mark}`), record(text));
  const at = `marks-${prefix}`;
  for (const name of ["opaque", "x", "moved"]) {
    mkdirSync(`${root}/${at}/${name}`, { recursive: true });
  }
  for (const name of ["x/gone", "x/here", "meta", "x/full"]) {
    writeFileSync(`${root}/${at}/${name}`, name === "x/full" ? "text" : "");
  }
  set(`${at}/opaque`, "opaque", "y");
  set(`${at}/x`, "opaque", "x");
  set(`${at}/x/gone`, "whiteout", "");
  set(`${at}/x/full`, "whiteout", "");
  set(`${at}/moved`, "redirect", "/d/e");
  set(`${at}/meta`, "metacopy", "");
  set(`${at}/meta`, "redirect", "other");
  set(`${at}/meta`, "strata.ino", "\x01\x02\x03\x04\x05\x06\x07\x08");
  set(at, "impure", "y");
}

function fillAsRoot(root: string, fd: number): void {
  fillMarks(root, fd, "trusted");
  mknodAt(fd, bytesOf("d/whiteout"), S_IFCHR, 0, 0);
  mknodAt(fd, bytesOf("null"), S_IFCHR | 0o666, 1, 3);
  mknodAt(fd, bytesOf("stand-in"), S_IFCHR | 0o666, 0, 0x3ffff);
  mknodAt(fd, bytesOf("disk"), S_IFBLK | 0o660, 4095, 0xfffff);
  mknodAt(fd, bytesOf("plain"), S_IFREG | 0o4755, 0, 0);
  const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
  setxattrAt(fd, bytesOf("plain"), bytesOf("security.capability"), capability);
  const acl = Buffer.from(
    "0200000001000600ffffffff02000400e803000004000400ffffffff10000600ffffffff20000400ffffffff",
    "hex",
  );
  setxattrAt(fd, bytesOf("d/a"), bytesOf("system.posix_acl_access"), acl);
  setxattrAt(fd, bytesOf("d"), bytesOf("system.posix_acl_default"), acl);
}

/** A tree, its index beside it, and what the disk says of it in a dialect. */
async function indexed(
  scratch: Scratch,
  fill: (root: string) => void,
): Promise<{ tree: string; path: string }> {
  const tree = scratch.directory("tree");
  fill(tree);
  const path = `${tree}.index`;
  ok(await writeLayerIndex(tree, path));
  return { tree, path };
}

test("IndexedLayer: says what the directory says, in every dialect", async () => {
  using scratch = new Scratch();
  const { tree, path } = await indexed(scratch, fillAll);
  ok(isIndexOf(tree, path));
  strictEqual(await checkLayerIndex(tree, path), "sound");
  for (const options of DIALECTS) {
    const expected = saidBy(() => openDirectoryLayer(tree, options));
    deepStrictEqual(
      saidBy(() => openIndexedLayer(tree, path, options)),
      expected,
    );
  }
});

test("IndexedLayer: says what the directory says, of trees by chance", async () => {
  const options = { whFiles: false };
  await fc.assert(
    fc.asyncProperty(hostTree, async (tree) => {
      using scratch = new Scratch();
      const { tree: root, path } = await indexed(scratch, (at) => materialize(tree, at));
      const expected = saidBy(() => openDirectoryLayer(root, options));
      deepStrictEqual(
        saidBy(() => openIndexedLayer(root, path, options)),
        expected,
      );
    }),
    { numRuns: 60 },
  );
});

test("IndexedLayer: asks the disk for nothing but data", async () => {
  using scratch = new Scratch();
  const { tree, path } = await indexed(scratch, (root) => {
    mkdirSync(`${root}/d/e`, { recursive: true });
    writeFileSync(`${root}/d/e/f`, "text");
  });
  const layer = openIndexedLayer(tree, path, { whFiles: false });
  try {
    renameSync(`${tree}/d`, `${tree}.aside`);
    const [d] = layer.readdir(layer.root);
    ok(d !== undefined);
    const directory = layer.lookup(layer.root, d.name);
    ok(directory !== undefined && directory !== WHITEOUT);
    deepStrictEqual(layer.marks(directory).opaque, false);
    const inner = layer.lookup(directory, bytesOf("e") as Name);
    ok(inner !== undefined && inner !== WHITEOUT);
    const file = layer.lookup(inner, bytesOf("f") as Name);
    ok(file !== undefined && file !== WHITEOUT);
    deepStrictEqual([file.stat.sizeBytes, layer.listxattr(file)], [4, []]);
    renameSync(`${tree}.aside`, `${tree}/d`);
    strictEqual(contentOf(layer, file).toString(), "text");
  } finally {
    layer.close();
  }
});

test("IndexedLayer: with an index that is damaged, cut or another tree's it says the same", async () => {
  using scratch = new Scratch();
  const { tree, path } = await indexed(scratch, fillAll);
  const options = { whFiles: false };
  const expected = saidBy(() => openDirectoryLayer(tree, options));
  const whole = readFileSync(path);
  const looks = (bytes: Buffer, state: string, what: string): Promise<void> => {
    writeFileSync(path, bytes);
    deepStrictEqual(
      saidBy(() => openIndexedLayer(tree, path, options)),
      expected,
      what,
    );
    return checkLayerIndex(tree, path).then((found) => strictEqual(found, state, what));
  };
  for (let n = 0; n < 40; n++) {
    const at = n < 20 ? n * 4 : Math.floor((whole.length * (n - 20)) / 20);
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (n % 8));
    await looks(bytes, "damaged", `byte ${at}`);
  }
  for (const length of [0, 3, 64, 200, whole.length >> 1, whole.length - 8]) {
    await looks(whole.subarray(0, length), "damaged", `${length} bytes`);
  }
  await looks(Buffer.concat([whole, Buffer.alloc(8)]), "damaged", "longer");
  await looks(whole, "sound", "whole");
  const other = scratch.directory("other");
  fillAll(other);
  const foreign = `${other}.index`;
  ok(await writeLayerIndex(other, foreign));
  await looks(readFileSync(foreign), "stale", "of a tree like it");
  rmSync(path);
  strictEqual(isIndexOf(tree, path), false);
  strictEqual(await checkLayerIndex(tree, path), "absent");
});

test("checkLayerIndex: notices that a layer was changed, and not that it was read", async () => {
  using scratch = new Scratch();
  const { tree, path } = await indexed(scratch, (root) => {
    mkdirSync(`${root}/d`);
    writeFileSync(`${root}/d/f`, "text");
  });
  strictEqual(readFileSync(`${tree}/d/f`, "utf8"), "text");
  deepStrictEqual(readdirSync(`${tree}/d`), ["f"]);
  strictEqual(await checkLayerIndex(tree, path), "sound");
  writeFileSync(`${tree}/d/f`, "other");
  strictEqual(await checkLayerIndex(tree, path), "damaged");
});
