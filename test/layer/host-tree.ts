// Trees of files on the host for tests: random ones, put on the disk by node:fs and system calls,
// and read back by node:fs: neither way goes through the code under test.

import { createHash } from "node:crypto";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { removeTree } from "../../src/layer/index.js";
import { type ByteString, bufferOf, bytesOf, type LayerPath, type Name } from "../../src/path.js";
import {
  AT_FDCWD,
  chmodAt,
  chownAt,
  getxattrAt,
  listxattrAt,
  mknodAt,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  setxattrAt,
  symlinkAt,
  utimensAt,
} from "../../src/sys/index.js";

export const isRoot = process.geteuid?.() === 0;

/** A directory of its own under the system's temporary one; `using` removes it. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "strata-"));

  /** An empty directory in it. */
  directory(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path);
    return path;
  }

  [Symbol.dispose](): void {
    // rmSync can't go deeper than PATH_MAX, nor at names that aren't UTF-8; a process of rm(1) for
    // each of a thousand trees took as long as the tests of them.
    removeTree(AT_FDCWD, bytesOf(this.path));
  }
}

export interface HostAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sec: number;
  readonly nsec: number;
  readonly xattrs: readonly (readonly [name: string, value: Uint8Array])[];
}

export type HostContent =
  | { readonly type: "file"; readonly bytes: Uint8Array }
  | { readonly type: "directory"; readonly children: ReadonlyMap<Name, HostFile> }
  | { readonly type: "symlink"; readonly target: ByteString }
  | { readonly type: "fifo" }
  | { readonly type: "char" | "block"; readonly major: number; readonly minor: number };

export type HostFile = HostContent & HostAttributes;

/** A tree, and pairs of numbers that pick a file and a directory in which it gets another name. */
export interface HostTree {
  readonly root: HostFile;
  readonly links: readonly { readonly from: number; readonly to: number }[];
}

const fewNames = ["a", "b", "c", "d", "ä", "with space", "\xff\xfe", ".wh", "x".repeat(255)];
const name = fc
  .oneof(
    { weight: 4, arbitrary: fc.constantFrom(...fewNames) },
    {
      weight: 1,
      arbitrary: fc
        .uint8Array({ minLength: 1, maxLength: 12 })
        .map((bytes) => Buffer.from(bytes).toString("latin1"))
        .filter((text) => !/[/\0]/.test(text) && text !== "." && text !== ".."),
    },
  )
  .filter((text) => !text.startsWith(".wh."))
  .map((text) => text as Name);

const id = isRoot
  ? fc.constantFrom(0, 1, 1000, 65534, 2_097_152, 4_000_000_000)
  : fc.constant(undefined);
const seconds = fc.constantFrom(0, 1, 1_700_000_000, -1, -86_400, 4_294_967_296);
const xattr = fc.tuple(
  fc.constantFrom("user.a", "user.mime_type", ...(isRoot ? ["trusted.t", "security.thing"] : [])),
  fc.uint8Array({ maxLength: 40 }),
);

const attributes = fc.record({
  mode: fc.constantFrom(0o644, 0o755, 0o600, 0o4755, 0o2755, 0o1777, 0o444, 0o000, 0o7777),
  uid: id.map((value) => value ?? process.getuid?.() ?? 0),
  gid: id.map((value) => value ?? process.getgid?.() ?? 0),
  sec: seconds,
  nsec: fc.constantFrom(0, 1, 123_456_789, 999_999_999),
  xattrs: fc.uniqueArray(xattr, { selector: ([key]) => key, maxLength: 2 }),
});

const sparse = fc
  .record({ hole: fc.constantFrom(4096, 100_000), byte: fc.nat(255), tail: fc.boolean() })
  .map(({ hole, byte, tail }) => {
    const bytes = new Uint8Array(hole + (tail ? 5000 : 1));
    bytes[hole] = byte;
    return bytes;
  });

const leaf: fc.Arbitrary<HostContent> = fc.oneof(
  { weight: 5, arbitrary: content(fc.uint8Array({ maxLength: 1200 })) },
  { weight: 1, arbitrary: content(sparse) },
  {
    weight: 2,
    arbitrary: fc
      .oneof(name, fc.constantFrom("/etc/passwd", "../..", "t".repeat(300)))
      .map((target) => ({ type: "symlink" as const, target: target as ByteString })),
  },
  { weight: 1, arbitrary: fc.constant({ type: "fifo" as const }) },
  ...(isRoot ? [{ weight: 1, arbitrary: device() }] : []),
);

function content(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<HostContent> {
  return bytes.map((data) => ({ type: "file" as const, bytes: data }));
}

function device(): fc.Arbitrary<HostContent> {
  return fc.record({
    type: fc.constantFrom("char" as const, "block" as const),
    major: fc.constantFrom(1, 7, 511),
    minor: fc.constantFrom(0, 3, 255, 256, 1_000_000),
  });
}

const { file } = fc.letrec<{ file: HostFile; directory: HostContent }>((tie) => ({
  file: fc
    .oneof({ maxDepth: 3, withCrossShrink: true }, leaf, tie("directory"))
    .chain((what) => attributes.map((has) => ({ ...what, ...has }) as HostFile)),
  directory: directoryOf(tie("file") as fc.Arbitrary<HostFile>),
}));

function directoryOf(child: fc.Arbitrary<HostFile>): fc.Arbitrary<HostContent> {
  return fc
    .uniqueArray(fc.tuple(name, child), { selector: ([key]) => key, maxLength: 5 })
    .map((children) => ({ type: "directory" as const, children: new Map(children) }));
}

/** Random trees of every type of file. Without root's rights: no devices, no other owners. */
export const hostTree: fc.Arbitrary<HostTree> = fc.record({
  root: fc.tuple(directoryOf(file), attributes).map(([what, has]) => ({ ...what, ...has })),
  links: fc.array(fc.record({ from: fc.nat(50), to: fc.nat(50) }), { maxLength: 3 }),
});

/** Puts the tree on the disk; `path` is an empty directory. */
export function materialize(tree: HostTree, path: string): void {
  const directories: ByteString[] = [bytesOf(path)];
  const files: ByteString[] = [];
  const later: (() => void)[] = [];
  const make = (at: ByteString, what: HostFile): void => {
    makeOne(at, what);
    if (what.type === "directory") {
      if (at !== directories[0]) directories.push(at);
      for (const [child, node] of what.children) make(`${at}/${child}` as ByteString, node);
      later.push(() => setAttributes(at, what));
    } else {
      files.push(at);
      setAttributes(at, what);
    }
  };
  make(bytesOf(path), tree.root);
  tree.links.forEach(({ from, to }, index) => {
    const source = files[from % files.length];
    const directory = directories[to % directories.length];
    if (source === undefined || directory === undefined) return;
    linkSync(bufferOf(source), bufferOf(`${directory}/link${index}` as ByteString));
  });
  for (const set of later) set();
}

function makeOne(at: ByteString, what: HostFile): void {
  switch (what.type) {
    case "file":
      writeFileSync(bufferOf(at), what.bytes);
      return;
    case "directory":
      mkdirSync(bufferOf(at), { recursive: true });
      return;
    case "symlink":
      symlinkAt(what.target, AT_FDCWD, at);
      return;
    case "fifo":
      mknodAt(AT_FDCWD, at, S_IFIFO | 0o600, 0, 0);
      return;
    default:
      mknodAt(AT_FDCWD, at, what.type === "char" ? S_IFCHR : S_IFBLK, what.major, what.minor);
  }
}

/** Attributes of a directory are set after its children; of `at`, never of what it points to. */
function setAttributes(at: ByteString, what: HostFile): void {
  chownAt(AT_FDCWD, at, what.uid, what.gid);
  for (const [key, value] of what.xattrs) {
    // user.* is for files and directories only (xattr(7)).
    if (key.startsWith("user.") && what.type !== "file" && what.type !== "directory") continue;
    setxattrAt(AT_FDCWD, at, bytesOf(key), value);
  }
  // Without root's rights nobody could read the file again to compare it.
  const owner = isRoot ? 0 : what.type === "directory" ? 0o700 : 0o600;
  if (what.type !== "symlink") chmodAt(AT_FDCWD, at, what.mode | owner);
  const { sec, nsec } = what;
  utimensAt(AT_FDCWD, at, { atimeSec: sec, atimeNsec: nsec, mtimeSec: sec, mtimeNsec: nsec });
}

/** Every path of a tree with everything about it; names of one inode share `inode`. */
export function snapshot(path: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const firstNames = new Map<bigint, string>();
  const visit = (at: ByteString, shown: string): void => {
    const stat = lstatSync(bufferOf(at), { bigint: true, throwIfNoEntry: false });
    // The kernel's overlay lists a whiteout of nothing in a directory of one layer: it isn't there.
    if (stat === undefined) return;
    const xattrs = listxattrAt(AT_FDCWD, at).sort();
    const first = firstNames.get(stat.ino) ?? shown;
    firstNames.set(stat.ino, first);
    found[shown] = {
      mode: stat.mode.toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      mtime: stat.mtimeNs,
      rdev: stat.rdev,
      xattrs: xattrs.map((key) => `${key}=${getxattrAt(AT_FDCWD, at, key)?.toString("hex")}`),
      inode: first,
      content: contentOf(at, stat.isFile(), stat.isSymbolicLink()),
    };
    if (!stat.isDirectory()) return;
    for (const child of readdirSync(bufferOf(at), { encoding: "buffer" })) {
      const key = child.toString("latin1");
      visit(`${at}/${key}` as ByteString, `${shown}/${key}`);
    }
  };
  visit(bytesOf(path), "");
  return found;
}

function contentOf(at: ByteString, isFile: boolean, isSymlink: boolean): string | undefined {
  if (isSymlink) return readlinkSync(bufferOf(at), { encoding: "buffer" }).toString("latin1");
  if (!isFile) return undefined;
  return createHash("sha256")
    .update(readFileSync(bufferOf(at)))
    .digest("hex");
}

/** A LayerPath out of plain text. */
export function layerPath(text: string): LayerPath {
  return bytesOf(text) as LayerPath;
}
