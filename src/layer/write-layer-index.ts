// Writing the index of a layer (layer-index-format.ts): one walk over its tree. Best done when the tree
// was just written: then all of it is in the kernel's caches.

import { setImmediate as nextTurn } from "node:timers/promises";
import { type ByteString, bytesOf, compareBytes, type Name } from "../path.js";
import {
  AT_FDCWD,
  Descriptor,
  getxattrAt,
  isDirectory,
  isSymlink,
  listxattrAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  openAt,
  pwriteFull,
  readDirents,
  readlinkAt,
  type Stat,
  statFd,
  tryStatAt,
} from "../sys/index.js";
import { DirectoryDescriptors } from "./directory-descriptors.js";
import { DirectoryNode } from "./directory-node.js";
import { viewerMark } from "./layer-index.js";
import {
  BLOCK,
  BLOCK_UNIT_BYTES,
  checksumOf,
  HEADER,
  MAGIC,
  MAX_XATTR_BYTES,
  RECORD,
  type StoredXattrs,
  VERSION,
  XATTRS_ON_DISK,
} from "./layer-index-format.js";

const HERE = bytesOf(".");
const ITSELF = bytesOf("") as Name;
const READ_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
const TWO_32 = 0x1_0000_0000;
const OPEN_DIRECTORIES = 64;
/** So long others may wait. */
const TURN_MS = 10;

/** One name, as the disk has it. */
interface RawEntry {
  readonly name: ByteString;
  readonly stat: Stat;
  readonly target: ByteString | undefined;
  /** undefined: too many for an index. */
  readonly xattrs: StoredXattrs | undefined;
}

/** A directory's block; `parent` is the number of the block that has the directory as `entry`. */
interface Block {
  readonly words: Uint32Array;
  readonly parent: number;
  readonly entry: number;
}

/**
 * Writes the index of the tree `tree` to the new file `path` (text, both). The tree must not change,
 * now or later. False, and no file, for a tree that can't have one: of several file systems. Nothing
 * is synced: a torn index is known as one. Throws FsError.
 */
export async function writeLayerIndex(tree: string, path: string): Promise<boolean> {
  const words = await layerIndexImage(tree);
  if (words === undefined) return false;
  const image = Buffer.from(words.buffer);
  using file = new Descriptor(openAt(AT_FDCWD, bytesOf(path), O_WRONLY | O_CREAT | O_EXCL, 0o644));
  pwriteFull(file.fd, image, 0, image.length, 0);
  return true;
}

/** The bytes of the index as words, or undefined as for writeLayerIndex. Throws FsError. */
export async function layerIndexImage(tree: string): Promise<Uint32Array<ArrayBuffer> | undefined> {
  const blocks = await readBlocks(tree);
  return blocks === undefined ? undefined : imageOf(blocks);
}

interface Waiting {
  readonly node: DirectoryNode;
  readonly parent: number;
  readonly entry: number;
}

/** The blocks of all directories, the root's own record first; undefined as for writeLayerIndex. */
async function readBlocks(tree: string): Promise<Block[] | undefined> {
  using root = new Descriptor(openAt(AT_FDCWD, bytesOf(tree), READ_DIRECTORY));
  const stat = statFd(root.fd);
  const top = new DirectoryNode(stat, undefined, ITSELF);
  top.heldFd = root.fd;
  const descriptors = new DirectoryDescriptors(OPEN_DIRECTORIES);
  const blocks = [blockOf([rawEntry(root.fd, ITSELF, stat)], 0, 0)];
  const waiting: Waiting[] = [{ node: top, parent: 0, entry: 0 }];
  let turnEnds = performance.now() + TURN_MS;
  try {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const entries = readEntries(descriptors.of(next.node), stat.dev);
      if (entries === undefined) return undefined;
      // A walk comes to the first of them first.
      for (let at = entries.length - 1; at >= 0; at--) {
        const entry = entries[at];
        if (entry === undefined || !isDirectory(entry.stat.mode)) continue;
        const node = new DirectoryNode(entry.stat, next.node, entry.name as Name);
        waiting.push({ node, parent: blocks.length, entry: at });
      }
      if (entries.length > 0) blocks.push(blockOf(entries, next.parent, next.entry));
      if (performance.now() < turnEnds) continue;
      await nextTurn();
      turnEnds = performance.now() + TURN_MS;
    }
    return blocks;
  } finally {
    descriptors.close();
  }
}

/** Sorted by name; undefined when another file system is mounted on one of them. */
function readEntries(dirFd: number, dev: number): RawEntry[] | undefined {
  using fresh = new Descriptor(openAt(dirFd, HERE, READ_DIRECTORY));
  const dirents = readDirents(fresh.fd).sort((a, b) => compareBytes(a.name, b.name));
  const entries: RawEntry[] = [];
  for (const { name } of dirents) {
    const stat = tryStatAt(dirFd, name);
    if (stat === undefined || stat.dev !== dev) return undefined;
    entries.push(rawEntry(dirFd, name, stat));
  }
  return entries;
}

const NO_XATTRS: StoredXattrs = new Map();

function rawEntry(dirFd: number, name: Name, stat: Stat): RawEntry {
  const target = isSymlink(stat.mode) ? readlinkAt(dirFd, name) : undefined;
  return { name, stat, target, xattrs: readXattrs(dirFd, name) };
}

function readXattrs(dirFd: number, path: Name): StoredXattrs | undefined {
  const names = listxattrAt(dirFd, path);
  if (names.length === 0) return NO_XATTRS;
  const xattrs = new Map<ByteString, Buffer>();
  let left = MAX_XATTR_BYTES;
  for (const name of names) {
    const value = getxattrAt(dirFd, path, name);
    if (value === undefined) continue;
    xattrs.set(name, value);
    left -= name.length + value.length;
    if (left < 0) return undefined;
  }
  return xattrs;
}

function blockOf(entries: readonly RawEntry[], parent: number, entry: number): Block {
  let at = (BLOCK.WORDS + entries.length * RECORD.WORDS) * 4;
  const room = entries.reduce((sum, one) => sum + moreBytes(one), at);
  const memory = new ArrayBuffer(Math.ceil(room / BLOCK_UNIT_BYTES) * BLOCK_UNIT_BYTES);
  const words = new Uint32Array(memory);
  const buffer = Buffer.from(memory);
  words[BLOCK.bytes] = memory.byteLength;
  words[BLOCK.count] = entries.length;
  for (const [index, one] of entries.entries()) {
    const record = words.subarray(BLOCK.WORDS + index * RECORD.WORDS);
    writeStat(record, one.stat);
    at = writeMore(record, buffer, at, one);
  }
  return { words, parent, entry };
}

function moreBytes({ name, target, xattrs }: RawEntry): number {
  let bytes = name.length + (target?.length ?? 0);
  for (const [key, value] of xattrs ?? []) bytes += 6 + key.length + value.length;
  return bytes;
}

/** What has no fixed size, at `at` of the block. Gives where the next goes. */
function writeMore(record: Uint32Array, buffer: Buffer, start: number, entry: RawEntry): number {
  const { name, target, xattrs } = entry;
  let at = start;
  record[RECORD.nameAt] = at;
  record[RECORD.nameBytes] = name.length | ((xattrs?.size ?? XATTRS_ON_DISK) << 16);
  at += buffer.write(name, at, "latin1");
  record[RECORD.moreAt] = at;
  record[RECORD.targetBytes] = target?.length ?? 0;
  if (target !== undefined) at += buffer.write(target, at, "latin1");
  for (const [key, value] of xattrs ?? []) {
    buffer.writeUInt16LE(key.length, at);
    buffer.writeUInt32LE(value.length, at + 2);
    at += 6 + buffer.write(key, at + 6, "latin1");
    at += value.copy(buffer, at);
  }
  return at;
}

function writeStat(record: Uint32Array, stat: Stat): void {
  record[RECORD.ino] = Number(BigInt.asUintN(32, stat.ino));
  record[RECORD.ino + 1] = Number(stat.ino >> 32n);
  writeLong(record, RECORD.size, stat.sizeBytes);
  writeLong(record, RECORD.blocks, stat.blocks);
  writeLong(record, RECORD.atime, stat.atimeSec);
  writeLong(record, RECORD.mtime, stat.mtimeSec);
  writeLong(record, RECORD.ctime, stat.ctimeSec);
  writeLong(record, RECORD.btime, stat.btimeSec);
  record[RECORD.atimeNsec] = stat.atimeNsec;
  record[RECORD.mtimeNsec] = stat.mtimeNsec;
  record[RECORD.ctimeNsec] = stat.ctimeNsec;
  record[RECORD.btimeNsec] = stat.btimeNsec;
  record[RECORD.mode] = stat.mode;
  record[RECORD.nlink] = stat.nlink;
  record[RECORD.uid] = stat.uid;
  record[RECORD.gid] = stat.gid;
  record[RECORD.rdevMajor] = stat.rdevMajor;
  record[RECORD.rdevMinor] = stat.rdevMinor;
  record[RECORD.blksize] = stat.blksize;
  record[RECORD.attributes] = stat.attributes;
}

function writeLong(record: Uint32Array, field: number, value: number): void {
  record[field] = value;
  record[field + 1] = Math.floor(value / TWO_32);
}

/** The whole file: the places of the blocks are known only now. */
function imageOf(blocks: readonly Block[]): Uint32Array<ArrayBuffer> {
  let units = (HEADER.WORDS * 4) / BLOCK_UNIT_BYTES;
  let entries = -1;
  const [top] = blocks;
  for (const block of blocks) {
    const { words, parent, entry } = block;
    if (block !== top) {
      const record = blocks[parent]?.words.subarray(BLOCK.WORDS + entry * RECORD.WORDS);
      record?.set([units, words.byteLength], RECORD.blockUnits);
    }
    units += words.byteLength / BLOCK_UNIT_BYTES;
    entries += words[BLOCK.count] ?? 0;
  }
  const image = new Uint32Array((units * BLOCK_UNIT_BYTES) / 4);
  let at: number = HEADER.WORDS;
  image[HEADER.magic] = MAGIC;
  image[HEADER.version] = VERSION;
  image[HEADER.fileUnits] = units;
  image[HEADER.viewer] = viewerMark();
  image[HEADER.entries] = entries;
  image[HEADER.topUnits] = (at * 4) / BLOCK_UNIT_BYTES;
  image[HEADER.topBytes] = top?.words.byteLength ?? 0;
  image[HEADER.checksum] = checksumOf(image.subarray(0, HEADER.WORDS), HEADER.checksum + 1);
  for (const { words } of blocks) {
    words[BLOCK.checksum] = checksumOf(words, BLOCK.checksum + 1);
    image.set(words, at);
    at += words.length;
  }
  return image;
}
