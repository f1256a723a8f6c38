// A program: prints everything about every file of a tree, one JSON array [path, attributes] a line,
// sorted by path. A process of its own, because a tree that hangs must not hang the test. It reads
// by system calls alone: no code that knows layers takes part.
//
//   node list-tree.js DIR

import { createHash } from "node:crypto";
import { type ByteString, bytesOf, compareBytes, type Name } from "../../src/path.js";
import {
  AT_FDCWD,
  Descriptor,
  getxattrAt,
  isDirectory,
  isRegular,
  isSymlink,
  listxattrAt,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  openAt,
  preadFull,
  readDirents,
  readlinkAt,
  type Stat,
  statAt,
} from "../../src/sys/index.js";

const CHUNK_BYTES = 1 << 20;
const chunk = Buffer.alloc(CHUNK_BYTES);
const firstNames = new Map<bigint, string>();

function sha256(directory: number, name: ByteString, sizeBytes: number): string {
  using file = new Descriptor(openAt(directory, name, O_RDONLY | O_NOFOLLOW));
  const hash = createHash("sha256");
  let offset = 0;
  for (;;) {
    const length = preadFull(file.fd, chunk, 0, CHUNK_BYTES, offset);
    if (length === 0) break;
    hash.update(chunk.subarray(0, length));
    offset += length;
  }
  if (offset !== sizeBytes) return `${offset} bytes instead of ${sizeBytes}`;
  return hash.digest("hex");
}

function xattrsOf(directory: number, name: ByteString): Record<string, string> {
  const found: Record<string, string> = {};
  for (const key of listxattrAt(directory, name).sort(compareBytes)) {
    found[key] = getxattrAt(directory, name, key)?.toString("hex") ?? "gone";
  }
  return found;
}

function attributesOf(directory: number, name: ByteString, path: string, stat: Stat): object {
  const first = firstNames.get(stat.ino) ?? path;
  firstNames.set(stat.ino, first);
  return {
    mode: stat.mode.toString(8),
    owner: `${stat.uid}:${stat.gid}`,
    mtime: `${stat.mtimeSec}.${String(stat.mtimeNsec).padStart(9, "0")}`,
    xattrs: xattrsOf(directory, name),
    // Of directories both are the file system's own affair.
    ...(isDirectory(stat.mode) ? {} : { links: stat.nlink, sameFileAs: first }),
    ...(stat.rdevMajor + stat.rdevMinor === 0 ? {} : { device: [stat.rdevMajor, stat.rdevMinor] }),
    ...(isSymlink(stat.mode) ? { target: readlinkAt(directory, name) } : {}),
    ...(isRegular(stat.mode)
      ? { size: stat.sizeBytes, sha256: sha256(directory, name, stat.sizeBytes) }
      : {}),
  };
}

function* list(directory: number, name: ByteString, path: string): Generator<string> {
  const stat = statAt(directory, name);
  yield `${JSON.stringify([path, attributesOf(directory, name, path, stat)])}\n`;
  if (!isDirectory(stat.mode)) return;
  using here = new Descriptor(openAt(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const names: Name[] = readDirents(here.fd).map((entry) => entry.name);
  for (const child of names.sort(compareBytes)) yield* list(here.fd, child, `${path}/${child}`);
}

const [, , root = "."] = process.argv;
using start = new Descriptor(openAt(AT_FDCWD, bytesOf(root), O_PATH | O_DIRECTORY));
process.stdout.write([...list(start.fd, bytesOf("."), "")].join(""));
