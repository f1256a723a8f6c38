// Who may be writing files without our knowing: open files by passthrough, and mappings of such
// files, which outlive every open file and are told of by nobody. Whether a file has writers at all
// the kernel tells when it is asked for a lease.

import type { Node, Overlay } from "../../overlay/index.js";
import { isOpenForWriting, O_ACCMODE, O_RDONLY } from "../../sys/index.js";
import type { FuseInode } from "./inode-table.js";
import { OpenFile, type OpenFiles } from "./open-files.js";

/** So many files that may be mapped are remembered before those that are not any more are looked for. */
const MAX_REMEMBERED = 1024;

/** By write(2) with O_APPEND only, by write(2) anywhere, or by mappings too. */
export type WayOfWriting = "append" | "write" | "map";

/** The files of one session that may be written past it. */
export class PastWriters {
  readonly #overlay: Overlay;
  /** Opened for reading and writing by passthrough at some time. They are referenced. */
  readonly #mapped = new Map<Node, FuseInode>();
  #limit = MAX_REMEMBERED;

  constructor(overlay: Overlay) {
    this.#overlay = overlay;
  }

  /** A file was opened so that it can be mapped for writing. */
  note(inode: FuseInode): void {
    const { node } = inode;
    const isKnown = this.#mapped.has(node);
    this.#mapped.set(node, inode);
    if (isKnown) return;
    this.#overlay.reference(node);
    if (this.#mapped.size <= this.#limit) return;
    this.#dropUnwritten();
    this.#limit = Math.max(MAX_REMEMBERED, 2 * this.#mapped.size);
  }

  /** Everything that may be written at this moment, and how. */
  take(files: OpenFiles): Map<Node, WayOfWriting> {
    const taken = new Map<Node, WayOfWriting>();
    for (const file of files.values()) {
      if (!(file instanceof OpenFile) || file.inode.backing?.upper !== true) continue;
      const { opened } = file;
      if (opened === undefined || (opened.flags & O_ACCMODE) === O_RDONLY) continue;
      if (!file.appends) taken.set(opened.node, "write");
      else if (!taken.has(opened.node)) taken.set(opened.node, "append");
    }
    this.#dropUnwritten();
    for (const node of this.#mapped.keys()) taken.set(node, "map");
    return taken;
  }

  #dropUnwritten(): void {
    for (const [node, inode] of this.#mapped) {
      // Not while it is open: who is just opening it would break the lease, and the signal of that end us.
      if (inode.opens > 0 || this.#isWritten(node)) continue;
      this.#mapped.delete(node);
      this.#overlay.forget(node);
    }
  }

  #isWritten(node: Node): boolean {
    if (this.#overlay.dataPlace(node) !== "upper") return false;
    const handle = this.#overlay.open(node, O_RDONLY);
    try {
      return handle.fd !== undefined && isOpenForWriting(handle.fd);
    } finally {
      handle.close();
    }
  }
}
