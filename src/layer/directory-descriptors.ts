// Descriptors of a layer's directories, opened when needed and never more than a budget of them.
// A directory whose descriptor was closed is found again by walking down from the nearest open
// ancestor, never through a symlink. So paths of any depth work, wherever the layer lies.

import { LRUCache } from "lru-cache";
import { errno, FsError, isFsError } from "../errors.js";
import { type ByteString, type Name, textOf } from "../path.js";
import { close, O_DIRECTORY, O_NOFOLLOW, O_PATH, openAt, openBeneath } from "../sys/index.js";
import type { DirectoryNode } from "./directory-node.js";

const DIRECTORY = O_PATH | O_DIRECTORY | O_NOFOLLOW;

/** A step opens some at once (two parents and their children); fewer would close one in use. */
const LEAST_BUDGET = 16;

/** Longest path given to one openat2 (PATH_MAX is 4096, with the NUL). */
const PIECE_BYTES = 4000;

/** Open directories, the least recently used closed first. */
export class DirectoryDescriptors {
  readonly #budget: number;
  #cache: LRUCache<DirectoryNode, number> | undefined;
  /** It leaves the cache and is not to be closed. */
  #taken = -1;

  constructor(budget: number) {
    this.#budget = Math.max(budget, LEAST_BUDGET);
  }

  /** Made when needed: it has room for the whole budget at once, and of a deep stack most layers are never asked. */
  get #open(): LRUCache<DirectoryNode, number> {
    this.#cache ??= new LRUCache({
      max: this.#budget,
      dispose: (fd) => {
        if (fd !== this.#taken) close(fd);
      },
    });
    return this.#cache;
  }

  /** An O_PATH descriptor; it stays open for the present operation. Throws FsError. */
  of(directory: DirectoryNode): number {
    if (directory.heldFd >= 0) return directory.heldFd;
    return this.#open.get(directory) ?? this.#reopen(directory);
  }

  /** The descriptor becomes the caller's, if there is one. */
  take(directory: DirectoryNode): number | undefined {
    const fd = this.#cache?.get(directory);
    if (fd === undefined) return undefined;
    this.#taken = fd;
    this.#cache?.delete(directory);
    this.#taken = -1;
    return fd;
  }

  drop(directory: DirectoryNode): void {
    this.#open.delete(directory);
  }

  close(): void {
    this.#cache?.clear();
  }

  #reopen(directory: DirectoryNode): number {
    const fd = this.withRoom(() => this.#walk(directory));
    this.#open.set(directory, fd);
    return fd;
  }

  /** Runs what opens a descriptor; where the process has too many, half of ours make room. */
  withRoom(open: () => number): number {
    try {
      return open();
    } catch (error) {
      if (!isFsError(error, errno.EMFILE, errno.ENFILE) || this.#open.size < 2) throw error;
      for (let left = this.#open.size >> 1; left > 0; left--) this.#open.pop();
      return open();
    }
  }

  #walk(directory: DirectoryNode): number {
    const names: Name[] = [];
    let at = directory;
    let base: number | undefined;
    while (base === undefined) {
      const { parent } = at;
      if (parent === undefined) throw new FsError(errno.ESTALE, "open", textOf(at.name));
      names.push(at.name);
      at = parent;
      base = at.heldFd >= 0 ? at.heldFd : this.#open.get(at);
    }
    const [only] = names;
    if (names.length === 1 && only !== undefined) return openAt(base, only, DIRECTORY);
    return walkDown(base, names.reverse());
  }
}

/** Opens a directory some names below `base`, which stays open. */
function walkDown(base: number, names: readonly Name[]): number {
  let at = base;
  let piece = "";
  for (const [index, name] of names.entries()) {
    piece = piece === "" ? name : `${piece}/${name}`;
    const next = names[index + 1];
    if (next !== undefined && piece.length + 1 + next.length <= PIECE_BYTES) continue;
    const above = at;
    try {
      at = openBeneath(above, piece as ByteString, DIRECTORY);
    } finally {
      if (above !== base) close(above);
    }
    piece = "";
  }
  return at;
}
