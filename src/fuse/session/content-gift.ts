// The content of a small file given to the kernel together with the answer to its first OPEN
// (FUSE_NOTIFY_STORE), so that reading it takes no message at all.

import { isFsError } from "../../errors.js";
import type { Node, Overlay } from "../../overlay/index.js";
import { isRegular, O_ACCMODE, O_RDONLY } from "../../sys/index.js";
import type { FuseSession } from "./fuse-session.js";
import type { FuseInode, InodeTable } from "./inode-table.js";

/** What is given without being asked for: as much as copying costs less than a message. */
const MAX_GIFT_BYTES = 32 * 1024;

/**
 * Gives a file's content to the page cache, if it is small, opened for reading, and never was open
 * before. Only then: storing waits for locks of pages, and a page that waits for an answer of ours
 * would never be unlocked. A file that was never open has no pages.
 */
export function giveContent(session: FuseSession, inode: FuseInode, flags: number): void {
  if (inode.wasOpened || inode.opens > 0 || (flags & O_ACCMODE) !== O_RDONLY) return;
  const { overlay, reply, readAhead } = session;
  const { sizeBytes } = overlay.stat(inode.node);
  if (sizeBytes === 0 || sizeBytes > MAX_GIFT_BYTES) return;
  try {
    const handle = readAhead.take(inode.node) ?? overlay.open(inode.node, O_RDONLY);
    try {
      readAhead.goOn(inode.node);
      const count = handle.read(reply.stored, 0, sizeBytes, 0);
      if (count === sizeBytes) session.storeContent(inode.nodeId, sizeBytes);
    } finally {
      handle.close();
    }
  } catch (error) {
    // Whoever reads gets the error.
    if (!isFsError(error)) throw error;
  }
}

/** How many bytes of a file would be given at its first opening, where they lie in a lower layer; 0: none. */
export function giftBytes(overlay: Overlay, inodes: InodeTable, node: Node): number {
  if (!isRegular(node.kind) || overlay.dataPlace(node) !== "lower") return 0;
  if (inodes.known(node)?.wasOpened === true) return 0;
  const { sizeBytes } = node.inode.stat;
  return sizeBytes > MAX_GIFT_BYTES ? 0 : sizeBytes;
}
