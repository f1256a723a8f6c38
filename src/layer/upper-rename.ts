// UpperLayer.rename of a directory upper: which call of renameat2 makes each case one atomic step,
// and what stands in where the file system below has no RENAME_WHITEOUT or it leaves the wrong thing.

import { errno, FsError, isFsError } from "../errors.js";
import { textOf } from "../path.js";
import {
  isDirectory,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RENAME_WHITEOUT,
  renameAt,
  rmdirAt,
  S_ISGID,
  statAt,
  tryStatAt,
  unlinkAt,
} from "../sys/index.js";
import type { DirectoryNode, NodePlace } from "./directory-node.js";
import type { InodeWriter } from "./inode-writer.js";
import type { RenameHow, Standing } from "./layer.js";
import type { PartialLayer } from "./partial-layer.js";
import { noteImpure } from "./upper-attributes.js";
import { holdInode, moveName, nodeAt, refuseReserved } from "./upper-names.js";
import type { DiskName, Whiteouts } from "./whiteouts.js";
import type { WorkDirectory } from "./work-directory.js";

/** What a rename needs of the upper. */
export interface RenameTools {
  readonly layer: PartialLayer;
  readonly work: WorkDirectory;
  readonly writer: InodeWriter;
  readonly whiteouts: Whiteouts;
}

/** Throws FsError; then nothing has changed. */
export function renameInUpper(
  tools: RenameTools,
  from: NodePlace,
  to: NodePlace,
  how: RenameHow,
): void {
  const { layer } = tools;
  const source = { fd: layer.descriptors.of(from.parent), name: from.name };
  const target = { fd: layer.descriptors.of(to.parent), name: to.name };
  const stat = statAt(source.fd, source.name);
  const moved = layer.nodes.known(stat.ino);
  if (moved !== undefined && layer.marks(moved).metacopy) noteImpure(layer, to.parent);
  if (how.exchange) {
    const other = layer.nodes.known(statAt(target.fd, target.name).ino);
    if (other !== undefined && layer.marks(other).metacopy) noteImpure(layer, from.parent);
    move(source, target, RENAME_EXCHANGE);
    if (moved === other) return;
    moveName(moved, from.parent, from.name, to.parent, to.name);
    moveName(other, to.parent, to.name, from.parent, from.name);
    return;
  }
  refuseReserved(to.name, "rename");
  // rename(2): two names of one file both stay.
  if (tryStatAt(target.fd, target.name)?.ino === stat.ino) return;
  const replaces = how.over === "file" || how.over === "directory";
  const gone = replaces ? heldAt(layer, to, target) : undefined;
  if (how.leaveDevice !== undefined && (!tools.whiteouts.swaps || tools.whiteouts.areFiles)) {
    throw new FsError(errno.EINVAL, "rename", textOf(from.name));
  }
  if (how.over === "directory") tools.whiteouts.clear(to, false);
  if (how.leaveDevice !== undefined) {
    const { mode, gid } = from.parent.stat;
    const device = mode & S_ISGID ? { ...how.leaveDevice, gid } : how.leaveDevice;
    moveLeaving(tools.work, source, target, how.over, (at) =>
      tools.writer.make(at.fd, at.name, device, undefined),
    );
  } else moveOver(tools, { from, source }, { to, target }, how, isDirectory(stat.mode));
  gone?.dropName(to.parent, to.name);
  moveName(moved, from.parent, from.name, to.parent, to.name);
}

/** What stands at a name, and is about to go. */
function heldAt(
  layer: PartialLayer,
  { parent, name }: NodePlace,
  { fd }: DiskName,
): DirectoryNode | undefined {
  return holdInode(layer, parent, fd, name, nodeAt(layer, fd, name));
}

function move(from: DiskName, to: DiskName, flags: number): void {
  renameAt(from.fd, from.name, to.fd, to.name, flags);
}

/** A rename that leaves nothing, or a whiteout. */
function moveOver(
  tools: RenameTools,
  { from, source }: { readonly from: NodePlace; readonly source: DiskName },
  { to, target }: { readonly to: NodePlace; readonly target: DiskName },
  { over, leaveWhiteout }: RenameHow,
  isDirectoryMoved: boolean,
): void {
  const { whiteouts } = tools;
  if (!whiteouts.swaps || whiteouts.areFiles) {
    whiteouts.move(from, to, over, leaveWhiteout, isDirectoryMoved);
    return;
  }
  if (leaveWhiteout) whiteouts.expectIn(from.parent);
  const leavesByCall = leaveWhiteout && whiteouts.renamesLeaveOne;
  if (over === "whiteout" && (isDirectoryMoved || (leaveWhiteout && !leavesByCall))) {
    // Just the other way round than before; where nothing lies below, a whiteout hides nothing.
    move(source, target, RENAME_EXCHANGE);
    if (!leaveWhiteout) unlinkAt(source.fd, source.name);
    return;
  }
  if (leaveWhiteout && !leavesByCall) {
    moveLeaving(tools.work, source, target, over, (at) => whiteouts.make(at.name));
    return;
  }
  const flags = leaveWhiteout ? RENAME_WHITEOUT : 0;
  try {
    move(source, target, over === "absent" ? flags | RENAME_NOREPLACE : flags);
  } catch (error) {
    // Kernel overlayfs and many FUSE file systems have no RENAME_WHITEOUT: that is known from now on.
    if (!leaveWhiteout || !isFsError(error, errno.EINVAL)) throw error;
    whiteouts.renamesLeaveOne = false;
    const how = { over, leaveWhiteout, exchange: false };
    moveOver(tools, { from, source }, { to, target }, how, isDirectoryMoved);
  }
}

/**
 * A rename that leaves what `make` makes. That stands at the new name first, where nothing showed,
 * and the two change places. Where something showed the old name has it for a moment: a crash
 * there leaves the two swapped, and nothing lost.
 */
function moveLeaving(
  work: WorkDirectory,
  from: DiskName,
  to: DiskName,
  over: Standing,
  make: (at: DiskName) => void,
): void {
  work.prepare((name) => {
    const made: DiskName = { fd: work.fd, name };
    make(made);
    const showed = over === "file" || over === "directory";
    const placing = over === "absent" ? RENAME_NOREPLACE : RENAME_EXCHANGE;
    if (!showed) move(made, to, placing);
    try {
      move(from, to, RENAME_EXCHANGE);
    } catch (error) {
      if (!showed) move(to, made, placing);
      throw error;
    }
    if (over === "file") move(made, from, 0);
    else if (over === "directory") move(made, from, RENAME_EXCHANGE);
    if (over === "directory") rmdirAt(made.fd, made.name);
    if (over === "whiteout") unlinkAt(made.fd, made.name);
  });
}
