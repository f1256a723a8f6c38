// What the kernel is told without having asked. libfuse has functions for it in its low-level
// interface only; a notice is one write to /dev/fuse, by whichever thread.

import { tryWrite } from "../../sys/index.js";
import {
  NOTIFY_INVAL_INODE,
  NOTIFY_STORE,
  OUT_HEADER_BYTES,
  STORE_BYTES,
} from "../wire/protocol.js";
import { Reply } from "../wire/reply.js";

/** struct fuse_notify_inval_inode_out. */
const INVALIDATION_BYTES = 24;
/** What is stored at once at most. */
export const MAX_STORED_BYTES = 32 * 1024;

/** The notices of one mount; none before it stands. */
export class Notices {
  readonly #notice = new Reply(OUT_HEADER_BYTES + STORE_BYTES + MAX_STORED_BYTES);
  #fuseFd: number | undefined;

  /** `fuseFd` is the caller's, and stays open until the end of the mount. */
  begin(fuseFd: number): void {
    this.#fuseFd = fuseFd;
  }

  /** What the kernel remembers of the inode's attributes is no longer so. */
  attributesChanged(nodeId: bigint): void {
    const notice = this.#notice;
    notice.u64(OUT_HEADER_BYTES, Number(nodeId));
    notice.u64(OUT_HEADER_BYTES + 8, -1); // A negative offset leaves the pages alone.
    notice.u64(OUT_HEADER_BYTES + 16, 0);
    this.#write(notice.header(0, 0, NOTIFY_INVAL_INODE, INVALIDATION_BYTES));
  }

  /** Where `store` takes content from. */
  get stored(): Buffer {
    return this.#notice.stored;
  }

  /**
   * Puts the first bytes of `stored` into the kernel's page cache, from the start of a file. It waits
   * for locks of pages: nobody may be reading or writing the file.
   */
  store(nodeId: bigint, sizeBytes: number): void {
    const notice = this.#notice;
    notice.u64(OUT_HEADER_BYTES, Number(nodeId));
    notice.u64(OUT_HEADER_BYTES + 8, 0);
    notice.u64(OUT_HEADER_BYTES + 16, sizeBytes); // size, and four bytes of padding
    this.#write(notice.header(0, 0, NOTIFY_STORE, STORE_BYTES + sizeBytes));
  }

  /** ENOENT: the kernel has no such inode any more; ENODEV: no such mount. Nothing is lost then. */
  #write(lengthBytes: number): void {
    if (this.#fuseFd !== undefined) tryWrite(this.#fuseFd, this.#notice.buffer, lengthBytes);
  }
}
