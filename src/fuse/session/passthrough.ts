// Passthrough: files of the layers registered with the kernel, which then reads, writes and maps
// them alone (fs/fuse/passthrough.c, backing.c). An inode has one backing file at a time.
// Which files are served this way is decided in files.ts.

import { assert } from "../../assert.js";
import { errno, isFsError } from "../../errors.js";
import type { Handle, Overlay } from "../../overlay/index.js";
import { backingClose, backingOpen } from "../../sys/index.js";
import type { FuseInode } from "./inode-table.js";
import type { Log } from "./log.js";

/** A file registered for one inode, for as long as it is open. */
export interface Backing {
  /** The kernel's number of it. */
  readonly id: number;
  /**
   * It is a file of the upper layer. The kernel opens the backing file again with the flags of
   * each file that is opened: a lower one must never be given to an open for writing, as the
   * write would land in the layer.
   */
  readonly upper: boolean;
}

/** Registers and releases backing files of one connection. */
export class Passthrough {
  readonly #fuseFd: number;
  readonly #overlay: Overlay;
  readonly #log: Log;
  /** The kernel agreed to it at INIT, and has not refused a file since. */
  enabled = false;

  constructor(fuseFd: number, overlay: Overlay, log: Log) {
    this.#fuseFd = fuseFd;
    this.#overlay = overlay;
    this.#log = log;
  }

  /** Registers the file that `handle` has open; undefined where that can't be done. */
  register(inode: FuseInode, handle: Handle): Backing | undefined {
    assert(inode.backing === undefined, "an inode has one backing file");
    // There is none of a partial file: the kernel alone would read its holes as zeros.
    const fd = handle.fd;
    if (!this.enabled || fd === undefined) return undefined;
    try {
      const id = backingOpen(this.#fuseFd, fd);
      return { id, upper: this.#overlay.dataPlace(inode.node) === "upper" };
    } catch (error) {
      if (!isFsError(error)) throw error;
      // Refused once for the lack of a right or of the feature, refused for ever; anything else
      // (ELOOP: the layer lies on a stack of file systems; ENFILE) concerns this file only.
      if (isFsError(error, errno.EPERM, errno.ENOTTY, errno.EOPNOTSUPP)) this.enabled = false;
      this.#log.write(`no passthrough: ${error.message}`);
      return undefined;
    }
  }

  /** Gives the file back after the last close. */
  release(backing: Backing): void {
    backingClose(this.#fuseFd, backing.id);
  }
}
