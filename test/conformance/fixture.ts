// The tree that every case finds, in two forms: made plainly, or as two lower layers that merge to
// it (whiteouts as devices 0:0, opaque marks as trusted.overlay.opaque, as overlayfs.rst has them).
// Everything is made by root, since owners and devices are part of it.

import type { LayerPath } from "../../src/path.js";
import { type ByteString, bytesOf, parentOf } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";

/** Which of the two layers an entry lies in. `hidden`: in the base, and removed by the top. */
type Where = "base" | "top" | "both" | "hidden";

/** Where the marks of a layer are: trusted.overlay.* or user.overlay.* xattrs. */
export type MarkPrefix = "trusted" | "user";

interface Entry {
  readonly path: string;
  readonly where: Where;
  /** Type and permission bits. */
  readonly mode: number;
  readonly owner?: readonly [uid: number, gid: number];
  /** Content of a file, target of a symlink. */
  readonly content?: string;
  readonly device?: readonly [major: number, minor: number];
  /** Another path of the same inode. */
  readonly linkTo?: string;
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly opaque?: boolean;
  /** Offset of the content behind a hole, and the size with a hole at the end. */
  readonly hole?: readonly [offset: number, sizeBytes: number];
}

export const USER = 1000;
export const OTHER = 2000;
/** Bytes of the file "large": more than a mount serves through its small-file path. */
export const LARGE_BYTES = 200 * 1024;
export const LONG_NAME = "n".repeat(255);
export const RAW_NAME = "\xff\xfe raw \x80";
export const BINARY_VALUE = "\0\x01\xfe\xff\0binary";
/** Times of everything in the fixture. */
export const FIXTURE_TIMES: sys.Times = {
  atimeSec: 1_600_000_000,
  atimeNsec: 987_654_321,
  mtimeSec: 1_500_000_000,
  mtimeNsec: 123_456_789,
};

/** ACL_USER_OBJ rwx, ACL_USER 1000 rwx, ACL_GROUP_OBJ r-x, ACL_MASK rwx, ACL_OTHER none. */
export const ACL_VALUE =
  "\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x02\0\x07\0\xe8\x03\0\0" +
  "\x04\0\x05\0\xff\xff\xff\xff\x10\0\x07\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";

const DIRECTORY = sys.S_IFDIR | 0o755;
const FILE = sys.S_IFREG | 0o644;
const LINK = sys.S_IFLNK | 0o777;

/** Content that differs from block to block. */
export function pattern(sizeBytes: number): string {
  return "0123456789abcde\n".repeat(Math.ceil(sizeBytes / 16)).slice(0, sizeBytes);
}

const ENTRIES: readonly Entry[] = [
  { path: "file", where: "base", mode: FILE, content: "content of file\n", owner: [USER, USER] },
  { path: "void", where: "base", mode: FILE },
  { path: "large", where: "base", mode: FILE, content: pattern(LARGE_BYTES) },
  { path: "sparse", where: "base", mode: FILE, content: "data", hole: [524_288, 1_048_576] },
  { path: "program", where: "base", mode: sys.S_IFREG | 0o755, content: "#!/bin/sh\nexit 7\n" },
  { path: "setuid", where: "base", mode: sys.S_IFREG | 0o6755, owner: [USER, USER], content: "s" },
  { path: "readonly", where: "base", mode: sys.S_IFREG | 0o444, content: "read only\n" },
  { path: "topfile", where: "top", mode: FILE, content: "from the top\n" },
  { path: "gone", where: "hidden", mode: FILE, content: "must not be seen\n" },
  { path: "replaced", where: "hidden", mode: DIRECTORY },
  { path: "replaced/inner", where: "hidden", mode: FILE },
  { path: "replaced", where: "top", mode: FILE, content: "a file now\n" },
  { path: "covered", where: "hidden", mode: FILE, content: "must not be seen\n" },
  { path: "covered", where: "top", mode: DIRECTORY },
  { path: "covered/inner", where: "top", mode: FILE, content: "a directory now\n" },
  { path: "symlink", where: "base", mode: LINK, content: "file" },
  { path: "dangling", where: "base", mode: LINK, content: "nowhere" },
  { path: "loop", where: "base", mode: LINK, content: "loop" },
  { path: "dirlink", where: "base", mode: LINK, content: "directory" },
  { path: "fifo", where: "base", mode: sys.S_IFIFO | 0o644 },
  { path: "socket", where: "base", mode: sys.S_IFSOCK | 0o644 },
  { path: "null", where: "base", mode: sys.S_IFCHR | 0o666, device: [1, 3] },
  { path: "block", where: "base", mode: sys.S_IFBLK | 0o600, device: [240, 17] },
  { path: "directory", where: "both", mode: DIRECTORY },
  { path: "directory/a", where: "base", mode: FILE, content: "a\n" },
  { path: "directory/b", where: "base", mode: FILE, content: "b\n" },
  { path: "directory/c", where: "top", mode: FILE, content: "c\n" },
  { path: "directory/gone", where: "hidden", mode: FILE, content: "must not be seen\n" },
  { path: "directory/sub", where: "base", mode: DIRECTORY },
  { path: "directory/sub/deep", where: "base", mode: FILE, content: "deep\n" },
  { path: "directory/mixed", where: "both", mode: DIRECTORY },
  { path: "directory/mixed/x", where: "base", mode: FILE, content: "x\n" },
  { path: "directory/mixed/y", where: "top", mode: FILE, content: "y\n" },
  { path: "links-a", where: "base", mode: FILE, content: "linked\n" },
  { path: "links-b", where: "base", mode: FILE, linkTo: "links-a" },
  { path: "directory/links-c", where: "base", mode: FILE, linkTo: "links-a" },
  { path: "empty", where: "base", mode: DIRECTORY },
  { path: "hollow", where: "both", mode: DIRECTORY },
  { path: "hollow/x", where: "hidden", mode: FILE },
  { path: "hollow/y", where: "hidden", mode: DIRECTORY },
  { path: "opaque", where: "both", mode: DIRECTORY, opaque: true },
  { path: "opaque/old", where: "hidden", mode: FILE },
  { path: "opaque/new", where: "top", mode: FILE, content: "new\n" },
  { path: "lower", where: "base", mode: DIRECTORY },
  { path: "lower/one", where: "base", mode: FILE, content: "one\n" },
  { path: "lower/two", where: "base", mode: DIRECTORY },
  { path: "lower/two/three", where: "base", mode: FILE, content: "three\n" },
  { path: "sticky", where: "base", mode: sys.S_IFDIR | 0o1777 },
  { path: "sticky/of-root", where: "base", mode: FILE },
  { path: "sticky/of-user", where: "base", mode: FILE, owner: [USER, USER] },
  { path: "setgid", where: "base", mode: sys.S_IFDIR | 0o2775, owner: [0, USER] },
  { path: "private", where: "base", mode: sys.S_IFDIR | 0o700 },
  { path: "private/secret", where: "base", mode: sys.S_IFREG | 0o600, content: "secret\n" },
  {
    path: "acl",
    where: "base",
    mode: DIRECTORY,
    xattrs: { "system.posix_acl_default": ACL_VALUE },
  },
  {
    path: "attributes",
    where: "base",
    mode: FILE,
    content: "with attributes\n",
    xattrs: {
      "user.text": "hello",
      "user.binary": BINARY_VALUE,
      "user.none": "",
      "trusted.root": "for root",
      "security.label": "label",
    },
  },
  { path: RAW_NAME, where: "base", mode: FILE, content: "raw\n" },
  { path: LONG_NAME, where: "base", mode: FILE, content: "long\n" },
];

/** The directory "many": files f000 to f299 in the base, g000 to g099 in the top. */
const MANY: readonly Entry[] = [
  { path: "many", where: "both", mode: DIRECTORY },
  ...Array.from({ length: 300 }, (_, index) => numbered("f", index, "base")),
  ...Array.from({ length: 100 }, (_, index) => numbered("g", index, "top")),
];

function numbered(letter: string, index: number, where: Where): Entry {
  return { path: `many/${letter}${String(index).padStart(3, "0")}`, where, mode: FILE };
}

function entriesFor(extra: "many" | undefined): readonly Entry[] {
  return extra === "many" ? [...ENTRIES, ...MANY] : ENTRIES;
}

/** The names in the fixture's root, sorted by bytes. */
export function rootNames(): string[] {
  const visible = ENTRIES.filter((entry) => entry.where !== "hidden");
  return visible
    .map((entry) => entry.path)
    .filter((path) => !path.includes("/"))
    .sort();
}

/** Makes the merged tree in an existing empty directory. */
export function makePlain(directory: string, extra?: "many"): void {
  make(
    directory,
    entriesFor(extra).filter((entry) => entry.where !== "hidden"),
    undefined,
  );
}

/**
 * Makes the two lower layers in existing empty directories; `prefix` of the marks: root reads
 * trusted.overlay., a user namespace user.overlay.
 */
export function makeLayers(
  base: string,
  top: string,
  extra?: "many",
  prefix: MarkPrefix = "trusted",
): void {
  const entries = entriesFor(extra);
  make(
    base,
    entries.filter((entry) => entry.where !== "top"),
    undefined,
  );
  const topEntries = entries.filter((entry) => entry.where === "top" || entry.where === "both");
  make(top, [...topEntries, ...whiteouts(entries)], prefix);
}

/** One for each hidden entry that the top neither replaces nor hides together with its directory. */
function whiteouts(entries: readonly Entry[]): Entry[] {
  const hidden = new Set(entries.filter((e) => e.where === "hidden").map((e) => e.path));
  const inTop = entries.filter((e) => e.where === "top" || e.where === "both");
  const replaced = new Set(inTop.map((e) => e.path));
  const opaque = new Set(inTop.filter((e) => e.opaque === true).map((e) => e.path));
  return [...hidden]
    .filter((path) => !replaced.has(path))
    .filter((path) => !opaque.has(parentOf(path as LayerPath)))
    .filter((path) => !hidden.has(parentOf(path as LayerPath)))
    .map((path) => ({ path, where: "top", mode: sys.S_IFCHR, device: [0, 0] }));
}

function make(directory: string, entries: readonly Entry[], marks: MarkPrefix | undefined): void {
  const before = sys.umask(0);
  try {
    const root = bytesOf(directory);
    const dirFd = sys.openAt(sys.AT_FDCWD, root, sys.O_RDONLY | sys.O_DIRECTORY);
    try {
      for (const entry of entries) makeEntry(dirFd, entry, marks);
      // Children change the times of their directories: those come last, innermost first.
      for (const entry of [...entries].reverse()) {
        sys.utimensAt(dirFd, entry.path as ByteString, FIXTURE_TIMES);
      }
    } finally {
      sys.close(dirFd);
    }
  } finally {
    sys.umask(before);
  }
}

function makeEntry(dirFd: number, entry: Entry, marks: MarkPrefix | undefined): void {
  const path = entry.path as ByteString;
  if (entry.linkTo !== undefined) {
    sys.linkAt(dirFd, entry.linkTo as ByteString, dirFd, path);
    return;
  }
  const permissions = entry.mode & sys.PERMISSION_BITS;
  const [major, minor] = entry.device ?? [0, 0];
  if (sys.isDirectory(entry.mode)) sys.mkdirAt(dirFd, path, permissions);
  else if (sys.isSymlink(entry.mode))
    sys.symlinkAt((entry.content ?? "") as ByteString, dirFd, path);
  else if (sys.isRegular(entry.mode)) makeFile(dirFd, entry);
  else sys.mknodAt(dirFd, path, entry.mode, major, minor);
  const [uid, gid] = entry.owner ?? [0, 0];
  sys.chownAt(dirFd, path, uid, gid);
  if (!sys.isSymlink(entry.mode)) sys.chmodAt(dirFd, path, permissions);
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) {
    sys.setxattrAt(dirFd, path, name as ByteString, Buffer.from(value, "latin1"));
  }
  if (marks !== undefined && entry.opaque === true) {
    sys.setxattrAt(dirFd, path, `${marks}.overlay.opaque` as ByteString, Buffer.from("y"));
  }
}

function makeFile(dirFd: number, entry: Entry): void {
  const fd = sys.openAt(dirFd, entry.path as ByteString, sys.O_CREAT | sys.O_EXCL | sys.O_WRONLY);
  try {
    const content = Buffer.from(entry.content ?? "", "latin1");
    const [offset, sizeBytes] = entry.hole ?? [0, content.length];
    sys.pwriteFull(fd, content, 0, content.length, offset);
    sys.ftruncate(fd, sizeBytes);
  } finally {
    sys.close(fd);
  }
}
