// What the kernel's file handles mean: numbers of open files and open directories.
// How files are opened is in files.ts and directories.ts.

import { errno, FsError } from "../../errors.js";
import type { DirectoryHandle, Handle, Node, Overlay } from "../../overlay/index.js";
import { O_RDONLY } from "../../sys/index.js";
import type { FuseInode } from "./inode-table.js";

/** An open regular file. It is opened below only when something needs it: most are just read from the cache. */
export class OpenFile {
  readonly inode: FuseInode;
  /** It is written at its end only, unless its opener takes O_APPEND away later (fcntl(2)). */
  readonly appends: boolean;
  #handle: Handle | undefined;

  constructor(inode: FuseInode, handle: Handle | undefined, appends: boolean) {
    this.inode = inode;
    this.#handle = handle;
    this.appends = appends;
  }

  /** The file below, opened for reading if it was not opened for writing before. */
  handle(overlay: Overlay): Handle {
    this.#handle ??= overlay.open(this.inode.node, O_RDONLY);
    return this.#handle;
  }

  /** The file below, if it is open. */
  get opened(): Handle | undefined {
    return this.#handle;
  }
}

/** An open directory. */
export class OpenDirectory {
  readonly inode: FuseInode;
  readonly directory: DirectoryHandle;
  /** Something was read: reading from the beginning again wants a new snapshot. */
  started = false;

  constructor(inode: FuseInode, directory: DirectoryHandle) {
    this.inode = inode;
    this.directory = directory;
  }
}

/** Handle numbers, from 1 on, the smallest free one first come. */
export class OpenFiles {
  readonly #slots: (OpenFile | OpenDirectory | undefined)[] = [undefined];
  readonly #free: number[] = [];

  get size(): number {
    return this.#slots.length - 1 - this.#free.length;
  }

  add(open: OpenFile | OpenDirectory): number {
    const number = this.#free.pop() ?? this.#slots.length;
    this.#slots[number] = open;
    return number;
  }

  /** Throws EBADF where the number means no open regular file. */
  file(number: number): OpenFile {
    const open = this.#slots[number];
    if (!(open instanceof OpenFile)) throw new FsError(errno.EBADF, "find open file");
    return open;
  }

  /** Throws EBADF where the number means no open directory. */
  directory(number: number): OpenDirectory {
    const open = this.#slots[number];
    if (!(open instanceof OpenDirectory)) throw new FsError(errno.EBADF, "find open directory");
    return open;
  }

  /** What the number meant, which is free again. */
  remove(number: number): OpenFile | OpenDirectory | undefined {
    const open = this.#slots[number];
    if (open === undefined) return undefined;
    this.#slots[number] = undefined;
    this.#free.push(number);
    return open;
  }

  /** The upper was frozen: files of it that are open by passthrough are lower ones now, but for those kept. */
  frozen(kept: ReadonlySet<Node>): void {
    for (const { inode } of this.values()) {
      const { backing } = inode;
      if (backing?.upper === true && !kept.has(inode.node)) {
        inode.backing = { id: backing.id, upper: false };
      }
    }
  }

  *values(): Iterable<OpenFile | OpenDirectory> {
    for (const open of this.#slots) if (open !== undefined) yield open;
  }
}
