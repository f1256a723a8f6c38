// Names of an upper's inodes as its nodes know them: kept right over link, rename and unlink, and
// made durable when a file is synced.

import { errno, FsError } from "../errors.js";
import { type ByteString, bytesOf, type Name, textOf } from "../path.js";
import {
  close,
  Descriptor,
  fsync,
  isDirectory,
  linkAt,
  linkFd,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  openAt,
  statAt,
} from "../sys/index.js";
import type { DirectoryLayer } from "./directory-layer.js";
import type { DirectoryNode, NodePlace } from "./directory-node.js";
import { isReservedName } from "./whiteout.js";

/** A name that means something else in a layer's archive can't be made. Throws FsError EPERM. */
export function refuseReserved(name: Name, operation: string): void {
  if (isReservedName(name)) throw new FsError(errno.EPERM, operation, textOf(name));
}

/** The node of what is at a name, if somebody has one. Throws FsError. */
export function nodeAt(
  layer: DirectoryLayer,
  dirFd: number,
  name: Name,
): DirectoryNode | undefined {
  return layer.nodes.known(statAt(dirFd, name).ino);
}

/**
 * Before a name of `node` goes: where no other one is known, the inode is kept by a descriptor until the node
 * is forgotten. Gives the node. Throws FsError.
 */
export function holdInode(
  layer: DirectoryLayer,
  parent: DirectoryNode,
  dirFd: number,
  name: Name,
  node: DirectoryNode | undefined,
): DirectoryNode | undefined {
  if (node === undefined || node.heldFd >= 0 || node.hasNameBesides(parent, name)) return node;
  const { descriptors } = layer;
  node.heldFd =
    descriptors.take(node) ?? descriptors.withRoom(() => openAt(dirFd, name, O_PATH | O_NOFOLLOW));
  return node;
}

/**
 * Takes a name away by `remove`; `known` is the node that it leads to, if the caller knows. Whoever has the node goes
 * on using it. Throws FsError, with nothing changed.
 */
export function removeName(
  layer: DirectoryLayer,
  { parent, name }: NodePlace,
  known: DirectoryNode | undefined,
  remove: () => void,
): void {
  const fd = layer.descriptors.of(parent);
  const node = known ?? nodeAt(layer, fd, name);
  const wasHeld = node === undefined || node.heldFd >= 0;
  holdInode(layer, parent, fd, name, node);
  try {
    remove();
  } catch (error) {
    if (!wasHeld) letGo(node);
    throw error;
  }
  node?.dropName(parent, name);
}

/** The node's inode is found by a name. */
export function letGo(node: DirectoryNode | undefined): void {
  if (node === undefined || node.heldFd < 0) return;
  close(node.heldFd);
  node.heldFd = -1;
}

/** Gives a node's inode another name on the disk. Throws FsError (EPERM for directories). */
export function linkInode(
  layer: DirectoryLayer,
  node: DirectoryNode,
  dirFd: number,
  name: ByteString,
): void {
  if (isDirectory(node.stat.mode)) throw new FsError(errno.EPERM, "link", textOf(name));
  if (node.heldFd >= 0) linkFd(node.heldFd, dirFd, name);
  else linkAt(layer.fdFor(node), node.name, dirFd, name);
}

/** A name moved on the disk. */
export function moveName(
  node: DirectoryNode | undefined,
  from: DirectoryNode,
  oldName: Name,
  to: DirectoryNode,
  newName: Name,
): void {
  if (node === undefined) return;
  node.dropName(from, oldName);
  node.addName(to, newName);
  node.nameUnsynced = true;
}

/** Syncs the directories that got this name, or one above it, since they were last synced. */
export function syncNames(layer: DirectoryLayer, node: DirectoryNode): void {
  let at = node;
  while (at.nameUnsynced && at.parent !== undefined) {
    using directory = new Descriptor(
      openAt(layer.descriptors.of(at.parent), bytesOf("."), O_RDONLY | O_DIRECTORY),
    );
    fsync(directory.fd);
    at.nameUnsynced = false;
    at = at.parent;
  }
}
