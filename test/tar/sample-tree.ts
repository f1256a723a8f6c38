// A tree with everything that is hard for tar, as entries: put on the disk for real tars to pack,
// and read back from the disk that real tars have unpacked to.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { lstatSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { type ByteString, bufferOf, bytesOf, bytesOfBuffer } from "../../src/path.js";
import {
  AT_FDCWD,
  chmodAt,
  chownAt,
  getxattrAt,
  linkAt,
  listxattrAt,
  mkdirAt,
  mknodAt,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  setxattrAt,
  symlinkAt,
  utimensAt,
} from "../../src/sys/index.js";
import type { TarEntry } from "../../src/tar/entry.js";
import type { TarSource } from "../../src/tar/writer.js";
import { entryWith, member, rawBytes } from "./archive.js";

/** What is compared of an entry: all but the owners' names and the times that are the host's. */
export interface Facts {
  readonly path: ByteString;
  readonly type: TarEntry["type"];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  readonly linkPath: ByteString;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: Readonly<Record<string, string>>;
}

/** The comparable part of an entry. */
export function factsOf(entry: TarEntry): Facts {
  const { path, type, mode, uid, gid, sizeBytes, mtimeSec, mtimeNsec } = entry;
  const { linkPath, devMajor, devMinor } = entry;
  const xattrs = Object.fromEntries(
    [...entry.xattrs].map(([name, value]) => [name, Buffer.from(value).toString("hex")]).sort(),
  );
  const base = { path, type, mode, uid, gid, sizeBytes, mtimeSec, mtimeNsec };
  return { ...base, linkPath, devMajor, devMinor, xattrs };
}

/** Facts that a format without fractions, or without xattrs, can hold. */
export function plainFacts(facts: Facts): Facts {
  return { ...facts, mtimeNsec: 0, xattrs: {} };
}

const CAPABILITY = Buffer.from("0100000200040000000000000000000000000000", "hex");
const DEEP = `${"deep-directory-name/".repeat(20)}`;

/** Members that every format can hold. */
export function plainMembers(): TarSource[] {
  return [
    directory("."),
    directory("d"),
    member({ path: bytesOf("d/file"), mode: 0o6755, mtimeSec: 1_500_000_000 }, "content\n"),
    { entry: entryWith({ path: bytesOf("d/zz"), type: "hardlink", linkPath: bytesOf("d/file") }) },
    link("d/link", bytesOf("../d/file")),
    member({ path: bytesOf("empty"), mode: 0 }),
    member({ path: bytesOf("exactly"), uid: 1000, gid: 2_097_151 }, Buffer.alloc(1024, 1)),
    { entry: entryWith({ path: bytesOf("fifo"), type: "fifo", mode: 0o600 }) },
    member({ path: bytesOf(`d/${"n".repeat(98)}`) }, "100 bytes"),
    directory(`d/${"p".repeat(90)}`),
    member({ path: bytesOf(`d/${"p".repeat(90)}/${"q".repeat(90)}`) }, "split"),
    member({ path: bytesOf("text-ü") }, "utf-8"),
    member({ path: rawBytes(0x62, 0xff, 0xe9, 0x0a, 0x5c) }, "bytes"),
  ];
}

/** Members beyond ustar, which GNU's own format and pax hold. */
export function largeMembers(): TarSource[] {
  const nested: TarSource[] = [];
  for (let at = DEEP.indexOf("/"); at >= 0; at = DEEP.indexOf("/", at + 1)) {
    nested.push(directory(DEEP.slice(0, at)));
  }
  return [
    ...nested,
    member({ path: bytesOf(`${DEEP}file`) }, "far down"),
    member({ path: `${DEEP}${rawBytes(0xff, 0xfe)}` as ByteString }, "no text"),
    link("long-link", bytesOf("x".repeat(1000))),
    link("long-link-bytes", rawBytes(...Buffer.alloc(300, 0xfd))),
    member({ path: bytesOf("before-1970"), mtimeSec: -315_619_200, uid: 3_000_000 }, "old"),
    member({ path: bytesOf("after-2242"), mtimeSec: 9_000_000_000, gid: 4_294_967_294 }, "new"),
  ];
}

/** Device nodes: need root. */
export function deviceMembers(): TarSource[] {
  return [
    { entry: entryWith({ path: bytesOf("char"), type: "char", devMajor: 5, devMinor: 300 }) },
    {
      entry: entryWith({ path: bytesOf("block"), type: "block", devMajor: 259, devMinor: 70_000 }),
    },
  ];
}

/** Fractions of seconds and xattrs: pax only. */
export function paxMembers(): TarSource[] {
  const xattrs = new Map<ByteString, Uint8Array>([
    [bytesOf("security.capability"), CAPABILITY],
    [bytesOf("user.binary"), new Uint8Array([0, 10, 61, 255])],
    [bytesOf("user.empty"), new Uint8Array(0)],
  ]);
  return [
    member({ path: bytesOf("ns"), mtimeSec: 1_600_000_000, mtimeNsec: 123_456_789 }, "ns"),
    member({ path: bytesOf("half"), mtimeSec: -2, mtimeNsec: 500_000_000 }, "-1.5"),
    member({ path: bytesOf("tiny"), mtimeSec: 0, mtimeNsec: 1 }, "1 ns"),
    member({ path: bytesOf("xattrs"), xattrs }, "with xattrs"),
  ];
}

function directory(path: string): TarSource {
  return { entry: entryWith({ path: bytesOf(path), type: "directory", mode: 0o755 }) };
}

function link(path: string, linkPath: ByteString): TarSource {
  return { entry: entryWith({ path: bytesOf(path), type: "symlink", mode: 0o777, linkPath }) };
}

/** Puts the members below `root`; as root, with owners. Hard links share what their target has. */
export function build(root: string, members: readonly TarSource[], withOwners: boolean): void {
  for (const { entry, content } of members) {
    const path = below(root, entry.path);
    make(root, path, entry, content);
    if (entry.type !== "hardlink" && withOwners) chownAt(AT_FDCWD, path, entry.uid, entry.gid);
    if (entry.type !== "hardlink" && entry.type !== "symlink") chmodAt(AT_FDCWD, path, entry.mode);
    for (const [name, value] of entry.xattrs) setxattrAt(AT_FDCWD, path, name, value);
  }
  // Last, and directories after what is in them.
  for (const { entry } of members.toReversed()) {
    if (entry.type === "hardlink") continue;
    const { mtimeSec, mtimeNsec } = entry;
    const times = { atimeSec: mtimeSec, atimeNsec: mtimeNsec, mtimeSec, mtimeNsec };
    utimensAt(AT_FDCWD, below(root, entry.path), times);
  }
}

function make(
  root: string,
  path: ByteString,
  entry: TarEntry,
  content: TarSource["content"],
): void {
  switch (entry.type) {
    case "file":
      assert(content !== undefined && Symbol.iterator in content);
      writeFileSync(bufferOf(path), Buffer.concat([...content]));
      break;
    case "directory":
      if (entry.path !== ".") mkdirAt(AT_FDCWD, path, 0o700);
      break;
    case "symlink":
      symlinkAt(entry.linkPath, AT_FDCWD, path);
      break;
    case "hardlink":
      linkAt(AT_FDCWD, below(root, entry.linkPath), AT_FDCWD, path);
      break;
    case "char":
      mknodAt(AT_FDCWD, path, S_IFCHR | 0o600, entry.devMajor, entry.devMinor);
      break;
    case "block":
      mknodAt(AT_FDCWD, path, S_IFBLK | 0o600, entry.devMajor, entry.devMinor);
      break;
    case "fifo":
      mknodAt(AT_FDCWD, path, S_IFIFO | 0o600, 0, 0);
      break;
  }
}

/** What the disk says of the file an entry was unpacked to, in the entry's own words. */
export function observe(root: string, entry: TarEntry): Facts {
  const path = below(root, entry.path);
  const stat = lstatSync(bufferOf(path), { bigint: true });
  const second = 1_000_000_000n;
  const nsec = ((stat.mtimeNs % second) + second) % second;
  const device = stat.isCharacterDevice() || stat.isBlockDevice();
  const target =
    entry.type === "hardlink"
      ? lstatSync(bufferOf(below(root, entry.linkPath)), { bigint: true })
      : stat;
  assert.equal(stat.ino, target.ino, `inode of ${entry.path}`);
  const { major, minor } = deviceNumbers(stat.rdev);
  return {
    path: entry.path,
    type: entry.type === "hardlink" ? "hardlink" : typeOf(stat),
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    sizeBytes: entry.type === "hardlink" || !stat.isFile() ? 0 : Number(stat.size),
    mtimeSec: Number((stat.mtimeNs - nsec) / second),
    mtimeNsec: Number(nsec),
    linkPath: linkPathOf(path, entry, stat.isSymbolicLink()),
    devMajor: device ? major : 0,
    devMinor: device ? minor : 0,
    xattrs: xattrsOf(path),
  };
}

/** The content on the disk. */
export function contentAt(root: string, path: ByteString): Buffer {
  return readFileSync(bufferOf(below(root, path)));
}

function below(root: string, path: ByteString): ByteString {
  return `${bytesOf(root)}/${path}` as ByteString;
}

function linkPathOf(path: ByteString, entry: TarEntry, isSymlink: boolean): ByteString {
  if (entry.type === "hardlink") return entry.linkPath;
  if (!isSymlink) return bytesOf("");
  return bytesOfBuffer(readlinkSync(bufferOf(path), { encoding: "buffer" }));
}

function typeOf(stat: ReturnType<typeof lstatSync> & object): TarEntry["type"] {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isCharacterDevice()) return "char";
  if (stat.isBlockDevice()) return "block";
  assert(stat.isFIFO());
  return "fifo";
}

/** makedev(3), as glibc packs it. */
function deviceNumbers(rdev: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

function xattrsOf(path: ByteString): Record<string, string> {
  return Object.fromEntries(
    listxattrAt(AT_FDCWD, path)
      .map((name) => [name, getxattrAt(AT_FDCWD, path, name)?.toString("hex") ?? ""])
      .sort(),
  );
}
