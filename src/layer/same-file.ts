// Whether two files of two trees are the same to a layer: type, owner, mode, mtime, xattrs,
// target, device, content. Inode numbers, link counts, access and change times are no part of it.

import { Buffer } from "node:buffer";
import type { ByteString } from "../path.js";
import { isDevice, isDirectory, isRegular, isSymlink } from "../sys/index.js";
import { layerXattrs } from "./host-xattr.js";
import type { LayerFile } from "./layer.js";
import type { TreeNode } from "./tree.js";

/**
 * "always": content is read whenever sizes are equal; times can be set to anything, so nothing
 * less is sure. "when-times-differ": same size and mtime (to the nanosecond) count as same content.
 */
export type ContentsCheck = "always" | "when-times-differ";

const CHUNK_BYTES = 256 * 1024;
const left = Buffer.allocUnsafeSlow(CHUNK_BYTES);
const right = Buffer.allocUnsafeSlow(CHUNK_BYTES);

/** Compares all but the names of two nodes; of directories not what is in them. Throws FsError. */
export function sameFile(a: TreeNode, b: TreeNode, contents: ContentsCheck): boolean {
  const one = a.stat();
  const other = b.stat();
  if (one.mode !== other.mode || one.uid !== other.uid || one.gid !== other.gid) return false;
  if (one.mtimeSec !== other.mtimeSec || one.mtimeNsec !== other.mtimeNsec) return false;
  if (!sameXattrs(layerXattrs(a.xattrs()), layerXattrs(b.xattrs()))) return false;
  if (isRegular(one.mode)) {
    if (one.sizeBytes !== other.sizeBytes) return false;
    return contents === "when-times-differ" || one.sizeBytes === 0 || sameContent(a, b);
  }
  if (isSymlink(one.mode)) return a.readlink() === b.readlink();
  if (!isDevice(one.mode)) return true;
  return one.rdevMajor === other.rdevMajor && one.rdevMinor === other.rdevMinor;
}

/** True when both are directories, which merge; all else replaces what it stands over. */
export function bothDirectories(a: TreeNode, b: TreeNode): boolean {
  return isDirectory(a.stat().mode) && isDirectory(b.stat().mode);
}

function sameXattrs(
  a: ReadonlyMap<ByteString, Uint8Array>,
  b: ReadonlyMap<ByteString, Uint8Array>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}

function sameContent(a: TreeNode, b: TreeNode): boolean {
  const one = a.open();
  try {
    const other = b.open();
    try {
      return sameInode(one, other) || sameBytes(one, other);
    } finally {
      other.close();
    }
  } finally {
    one.close();
  }
}

/** Images share layers: most files of two of them are one file of the host. */
function sameInode(one: LayerFile, other: LayerFile): boolean {
  if (one.fd === undefined || other.fd === undefined) return false;
  const first = one.stat();
  const second = other.stat();
  return first.dev === second.dev && first.ino === second.ino;
}

function sameBytes(one: LayerFile, other: LayerFile): boolean {
  for (let position = 0; ; ) {
    const count = readFull(one, left, position);
    if (count !== readFull(other, right, position)) return false;
    if (left.compare(right, 0, count, 0, count) !== 0) return false;
    if (count < CHUNK_BYTES) return true;
    position += count;
  }
}

/** A read may give less than there is; only nothing means the end. */
function readFull(file: LayerFile, into: Uint8Array, position: number): number {
  let done = 0;
  while (done < CHUNK_BYTES) {
    const count = file.read(into, done, CHUNK_BYTES - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
