// The content of a small file given to the kernel together with the answer to its first OPEN
// (FUSE_NOTIFY_STORE), so that reading it takes no message at all.

import { isFsError } from "../../errors.js";
import { O_ACCMODE, O_RDONLY } from "../../sys/index.js";
import type { FuseSession } from "./fuse-session.js";
import type { FuseInode } from "./inode-table.js";

/** What is given without being asked for: as much as copying costs less than a message. */
const MAX_GIFT_BYTES = 32 * 1024;

/**
 * Gives a file's content to the page cache, if it is small, opened for reading, and never was open
 * before. Only then: storing waits for locks of pages, and a page that waits for an answer of ours
 * would never be unlocked. A file that was never open has no pages.
 */
export function giveContent(session: FuseSession, inode: FuseInode, flags: number): void {
  if (inode.wasOpened || inode.opens > 0 || (flags & O_ACCMODE) !== O_RDONLY) return;
  const { overlay, reply } = session;
  const { sizeBytes } = overlay.stat(inode.node);
  if (sizeBytes === 0 || sizeBytes > MAX_GIFT_BYTES) return;
  try {
    const handle = overlay.open(inode.node, O_RDONLY);
    try {
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
