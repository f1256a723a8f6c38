// What a layer says becomes an archive: uncompressed, in one pass, hashed while it is written.
// The inverse is apply.ts, where the laws of the pair stand. Whose entries these are, and in which
// order, is the business of those who make the stream (diff.ts has the order).

import { createHash } from "node:crypto";
import type { DiffId } from "../digest.js";
import { EngineError } from "../errors.js";
import { type ByteString, baseOf, joinPath, type LayerPath, parentOf, textOf } from "../path.js";
import {
  isBlockDevice,
  isCharacterDevice,
  isDevice,
  isDirectory,
  isFifo,
  isRegular,
  isSocket,
  isSymlink,
  PERMISSION_BITS,
  readNothingAhead,
  type Stat,
  willNeed,
} from "../sys/index.js";
import { type EntryType, NO_XATTRS, type TarEntry } from "../tar/entry.js";
import { TarWriter, type TarWriterOptions } from "../tar/writer.js";
import type { DiffEntry, DiffFile } from "./diff.js";
import { layerXattrs } from "./host-xattr.js";
import { type DeviceNumber, storedDevice } from "./nested.js";
import { isReservedName, OPAQUE_NAME, whiteoutNameOf } from "./whiteout.js";

const READ_BYTES = 256 * 1024;
/** So much is on its way from the disk while a step is hashed and written. */
const AHEAD_BYTES = 1024 * 1024;
const NOTHING = "" as ByteString;
/** Every reader takes "./" for the root of the layer: Go's archive/tar users clean the name. */
const ROOT_MEMBER = "." as ByteString;

/** The archive that was written. */
export interface WrittenDiff {
  readonly diffId: DiffId;
  readonly sizeBytes: number;
}

/**
 * Writes the archive of a layer to `sink`, which may hold the writer back by a promise and keeps
 * the chunks it gets, unless they are lent. The same entries give the same bytes, on every machine. Sockets are left
 * out: tar has no form for them. Throws EngineError INVALID_ARGUMENT for a file whose name would
 * be read as a whiteout and DATA_LOSS for a file that shrinks meanwhile, TarError for what tar
 * cannot hold, FsError of the content.
 */
export async function writeDiff(
  entries: Iterable<DiffEntry>,
  sink: (chunk: Uint8Array) => void | Promise<void>,
  options: TarWriterOptions = {},
): Promise<WrittenDiff> {
  const hash = createHash("sha256");
  const hashed = (chunk: Uint8Array): void | Promise<void> => {
    // In this order: a file is written by a thread of its own, while this one hashes.
    const taken = sink(chunk);
    hash.update(chunk);
    return taken;
  };
  const sizeBytes = await writeEntries(entries, hashed, options);
  return { diffId: `sha256:${hash.digest("hex")}` as DiffId, sizeBytes };
}

/** As writeDiff, for archives that are no layers and need no digest. Returns the bytes written. */
export async function writeEntries(
  entries: Iterable<DiffEntry>,
  sink: (chunk: Uint8Array) => void | Promise<void>,
  options: TarWriterOptions = {},
): Promise<number> {
  const writer = new TarWriter(sink, options);
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (const entry of entries) {
    if (entry.kind !== "entry") await writer.entry(markMember(entry));
    else if (!isSocket(entry.stat.mode)) await writeFile(writer, entry, buffer);
  }
  await writer.end();
  return writer.offset;
}

/** An empty file of no one and no time: only its name says something. */
function markMember(mark: Exclude<DiffEntry, DiffFile>): TarEntry {
  const path =
    mark.kind === "opaque"
      ? joinPath(mark.path, OPAQUE_NAME)
      : memberBelow(parentOf(mark.path), whiteoutNameOf(baseOf(mark.path)));
  return {
    path,
    type: "file",
    mode: 0,
    uid: 0,
    gid: 0,
    uname: NOTHING,
    gname: NOTHING,
    sizeBytes: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
    linkPath: NOTHING,
    devMajor: 0,
    devMinor: 0,
    xattrs: NO_XATTRS,
  };
}

/** As joinPath; the name of a whiteout may be longer than that of a file. */
function memberBelow(directory: LayerPath, name: ByteString): ByteString {
  return (directory === "" ? name : `${directory}/${name}`) as ByteString;
}

async function writeFile(writer: TarWriter, file: DiffFile, buffer: Uint8Array): Promise<void> {
  if (isReservedName(baseOf(file.path))) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      `Cannot write "${textOf(file.path)}": in a layer its name would be a whiteout`,
    );
  }
  const member = fileMember(file);
  const begun = writer.entry(member);
  if (begun !== undefined) await begun;
  if (member.sizeBytes > 0) await writeContent(writer, file, buffer);
}

/** A file of a diff as a member of an archive. */
export function fileMember(file: DiffFile): TarEntry {
  const { stat } = file;
  const type = file.hardlinkOf === undefined ? typeOf(stat.mode) : "hardlink";
  const device = deviceOf(stat, type);
  return {
    path: file.path === "" ? ROOT_MEMBER : file.path,
    type,
    mode: stat.mode & PERMISSION_BITS,
    uid: stat.uid,
    gid: stat.gid,
    uname: NOTHING,
    gname: NOTHING,
    sizeBytes: type === "file" ? stat.sizeBytes : 0,
    mtimeSec: stat.mtimeSec,
    mtimeNsec: stat.mtimeNsec,
    linkPath: file.hardlinkOf ?? file.target ?? NOTHING,
    devMajor: device.rdevMajor,
    devMinor: device.rdevMinor,
    xattrs: type === "hardlink" ? NO_XATTRS : layerXattrs(file.xattrs),
  };
}

/** A character device 0:0 as it is kept on the disk: everybody unpacks 0:0 as a whiteout. */
function deviceOf(stat: Stat, type: EntryType): DeviceNumber {
  if (!isDevice(stat.mode) || type === "hardlink") return { rdevMajor: 0, rdevMinor: 0 };
  return type === "char" ? storedDevice(stat) : stat;
}

function typeOf(mode: number): EntryType {
  if (isRegular(mode)) return "file";
  if (isDirectory(mode)) return "directory";
  if (isSymlink(mode)) return "symlink";
  if (isCharacterDevice(mode)) return "char";
  if (isBlockDevice(mode)) return "block";
  if (isFifo(mode)) return "fifo";
  throw new EngineError("UNSUPPORTED", `Cannot write a file of mode ${mode.toString(8)}: no type`);
}

/**
 * The kernel reads up to 4 MiB ahead (btrfs), and finds the memory for them, or checks their sums, without giving the
 * processor away: milliseconds that programs beside us wait for. We send for a step at a time.
 */
function beginSteps(fd: number): void {
  readNothingAhead(fd);
  for (let at = 0; at < AHEAD_BYTES; at += READ_BYTES) willNeed(fd, at, READ_BYTES);
}

async function writeContent(writer: TarWriter, file: DiffFile, buffer: Uint8Array): Promise<void> {
  const { sizeBytes } = file.stat;
  const open = file.content?.();
  const stepwise = open?.fd !== undefined && sizeBytes > READ_BYTES ? open.fd : undefined;
  try {
    if (stepwise !== undefined) beginSteps(stepwise);
    for (let done = 0; done < sizeBytes; ) {
      if (stepwise !== undefined) willNeed(stepwise, done + AHEAD_BYTES, READ_BYTES);
      const count = open?.read(buffer, 0, Math.min(buffer.length, sizeBytes - done), done) ?? 0;
      if (count === 0) {
        const state = `it ends at byte ${done} of ${sizeBytes}: it changed while it was read`;
        throw new EngineError("DATA_LOSS", `Cannot write "${textOf(file.path)}": ${state}`);
      }
      const written = writer.write(buffer.subarray(0, count));
      if (written !== undefined) await written;
      done += count;
    }
  } finally {
    open?.close();
  }
}
