// Changing what an upper's inode is besides its content and names: setattr and the marks.

import { errno, FsError } from "../errors.js";
import { ITSELF, textOf } from "../path.js";
import {
  close,
  ftruncate,
  O_WRONLY,
  type Stat,
  setxattrAt,
  type Times,
  UTIME_OMIT,
  utimensAt,
} from "../sys/index.js";
import { type DirectoryLayer, nameFor } from "./directory-layer.js";
import type { DirectoryNode } from "./directory-node.js";
import type { InodeWriter } from "./inode-writer.js";
import type { AttrChange } from "./layer.js";
import type { PartialLayer } from "./partial-layer.js";
import { MARK_NAMES } from "./whiteout.js";
import type { Whiteouts } from "./whiteouts.js";

/** UpperLayer.setattr. The owner comes before the mode, since chown clears set-id bits. Throws FsError. */
export function changeAttributes(
  layer: PartialLayer,
  writer: InodeWriter,
  node: DirectoryNode,
  change: AttrChange,
): void {
  const { mode, uid, gid, sizeBytes, atime, mtime } = change;
  if (sizeBytes !== undefined) truncate(layer, node, sizeBytes);
  const isOpen = node.fileFd >= 0;
  const fd = isOpen ? node.fileFd : layer.fdFor(node);
  const name = isOpen ? ITSELF : nameFor(node);
  // Without records only the type counts, and that is what it was.
  const shown = (): Stat => (layer.dialect.recordName === undefined ? node.stat : layer.stat(node));
  if (uid !== undefined || gid !== undefined) {
    writer.chown(fd, name, shown(), uid ?? -1, gid ?? -1);
  }
  if (mode !== undefined) writer.chmod(fd, name, shown(), mode);
  if (atime !== undefined || mtime !== undefined) utimensAt(fd, name, timesOf(atime, mtime));
  layer.stat(node);
}

function truncate(layer: PartialLayer, node: DirectoryNode, sizeBytes: number): void {
  const fd = layer.openFd(node, O_WRONLY);
  try {
    ftruncate(fd, sizeBytes);
    layer.truncated(node, sizeBytes);
  } finally {
    close(fd);
  }
}

function timesOf(atime: AttrChange["atime"], mtime: AttrChange["mtime"]): Times {
  return {
    atimeSec: atime?.sec ?? 0,
    atimeNsec: atime?.nsec ?? UTIME_OMIT,
    mtimeSec: mtime?.sec ?? 0,
    mtimeNsec: mtime?.nsec ?? UTIME_OMIT,
  };
}

/** A copy that may lack its data gets a name in this directory (ovl_set_impure). Throws FsError. */
export function noteImpure(layer: DirectoryLayer, directory: DirectoryNode): void {
  if (layer.marks(directory).impure) return;
  const { impure } = MARK_NAMES[layer.dialect.xattrPrefix];
  setxattrAt(layer.fdFor(directory), nameFor(directory), impure, Buffer.from("y", "latin1"));
  directory.marks = undefined;
}

/** UpperLayer.mark. Throws FsError. */
export function writeMarks(
  layer: DirectoryLayer,
  whiteouts: Whiteouts,
  node: DirectoryNode,
  marks: { readonly opaque?: boolean; readonly redirect?: string },
): void {
  const fd = layer.fdFor(node);
  const name = nameFor(node);
  const names = MARK_NAMES[layer.dialect.xattrPrefix];
  if (marks.redirect !== undefined) {
    if (whiteouts.areFiles) throw new FsError(errno.EXDEV, "redirect", textOf(name));
    setxattrAt(fd, name, names.redirect, Buffer.from(marks.redirect, "latin1"));
  }
  if (marks.opaque === true) whiteouts.setOpaque(fd, name);
  else if (marks.opaque === false && layer.marks(node).opaque) whiteouts.setTransparent(fd, name);
  node.marks = undefined;
}
