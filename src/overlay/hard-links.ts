// The hard-link index: what keeps a lower inode with several names one inode after copy-up
// (overlayfs.rst, "index"). Such an inode is copied up into the index alone; all its lower names
// then show the copy. How many lower names still show is kept as well, for st_nlink.
//
// Index entries: `<slot>-<ino>` is the copy of that inode of the layer in that slot (both hex);
// `<slot>-<ino>.<n>` (an empty file) says that n of its lower names still show; without one all do.
// `stack-<name>` names the layers that the slots mean, where they may become others.
// The count is written after the step that changes it: a crash between leaves st_nlink one too high.

import { isFsError } from "../errors.js";
import type { LayerNode, UpperLayer } from "../layer/index.js";
import type { ByteString } from "../path.js";
import { O_RDWR } from "../sys/index.js";

const COPY = /^[0-9a-f]+-[0-9a-f]+$/;
const COUNT = /^([0-9a-f]+-[0-9a-f]+)\.(\d+)$/;
const ORPHAN_PREFIX = "orphan-";
const STACK_PREFIX = "stack-";

/** The key of an inode of a layer; it does not change while layers are only added on top. */
export function linkKeyOf(slot: number, ino: bigint): ByteString {
  return `${slot.toString(16)}-${ino.toString(16)}` as ByteString;
}

/** The index of one upper. Each change is one atomic step of it. */
export class HardLinks {
  readonly #upper: UpperLayer | undefined;
  /** Keys of copies, each with the copy's inode number in the upper. */
  readonly #copies = new Map<ByteString, bigint>();
  readonly #keyByIno = new Map<bigint, ByteString>();
  readonly #lowerNames = new Map<ByteString, number>();
  /** Those of them that are on the disk. */
  readonly #written = new Map<ByteString, number>();
  /** Which layers the index was made over: an entry on the disk, and what it should be. */
  #madeOver: ByteString | undefined;
  readonly #stack: ByteString | undefined;
  /** What a crash left: entries that mean nothing any more. */
  #leftovers: ByteString[] = [];
  #orphans = 0;

  /**
   * `stack` names the lower layers, where the index may be another stack's or another upper's: then
   * it is not believed, and made anew.
   */
  constructor(upper: UpperLayer | undefined, stack: string | undefined) {
    this.#upper = upper;
    this.#stack = stack === undefined ? undefined : (`${STACK_PREFIX}${stack}` as ByteString);
    for (const key of upper?.indexKeys() ?? []) this.#read(key);
    if (this.#stack !== undefined && this.#isAnothers()) this.#disown();
  }

  /** With names for all copies, an upper that is empty has none, and hides no name. */
  #isAnothers(): boolean {
    if (this.#madeOver !== this.#stack) return true;
    const upper = this.#upper;
    const isEmpty = this.isEmpty && this.#written.size === 0;
    return upper !== undefined && !isEmpty && upper.readdir(upper.root).length === 0;
  }

  #disown(): void {
    this.#leftovers = [...(this.#upper?.indexKeys() ?? [])];
    this.#copies.clear();
    this.#keyByIno.clear();
    this.#lowerNames.clear();
    this.#written.clear();
    this.#madeOver = undefined;
  }

  #read(key: ByteString): void {
    if (key.startsWith(ORPHAN_PREFIX)) {
      this.#leftovers.push(key);
      return;
    }
    if (key.startsWith(STACK_PREFIX)) {
      this.#madeOver = key;
      return;
    }
    if (COPY.test(key)) {
      const copy = this.#upper?.indexed(key);
      if (copy !== undefined) this.#remember(key, copy);
      return;
    }
    const [, of, names] = COUNT.exec(key) ?? [];
    if (of === undefined || names === undefined) return;
    const count = Number(names);
    const known = this.#written.get(of as ByteString);
    // Both the old and the new count are there after a crash: names only ever go away.
    if (known !== undefined) {
      this.#leftovers.push(countKey(of as ByteString, Math.max(known, count)));
    }
    this.#written.set(of as ByteString, Math.min(known ?? count, count));
    this.#lowerNames.set(of as ByteString, Math.min(known ?? count, count));
  }

  /** Removes what a crash left. Before the first change, not at once: a reader must not write. */
  tidy(): void {
    const leftovers = this.#leftovers;
    this.#leftovers = [];
    for (const key of leftovers) this.#upper?.unindex(key);
  }

  #remember(key: ByteString, copy: LayerNode): void {
    this.#copies.set(key, copy.stat.ino);
    this.#keyByIno.set(copy.stat.ino, key);
  }

  /** True when inodes of the upper may be copies: all questions below need an answer only then. */
  get isEmpty(): boolean {
    return this.#copies.size === 0;
  }

  /** The copy in the upper of the lower inode with this key. */
  copy(key: ByteString): LayerNode | undefined {
    return this.#copies.has(key) ? this.#upper?.indexed(key) : undefined;
  }

  hasCopy(key: ByteString): boolean {
    return this.#copies.has(key);
  }

  /** The key of the lower inode that this inode of the upper is the copy of. */
  keyOfCopy(upperIno: bigint): ByteString | undefined {
    return this.#keyByIno.get(upperIno);
  }

  /** How many lower names show, where that was recorded. */
  lowerNames(key: ByteString): number | undefined {
    return this.#lowerNames.get(key);
  }

  /** The copy was made (UpperLayer.copyUpIndexed). */
  copied(key: ByteString, copy: LayerNode): void {
    this.#remember(key, copy);
    this.#enterStack();
  }

  /** From now on the index tells which layers it was made over, and is believed there. */
  #enterStack(): void {
    if (this.#stack === undefined || this.#madeOver === this.#stack) return;
    this.#enter(this.#stack);
    this.#madeOver = this.#stack;
  }

  /**
   * Records how many lower names show. On a full disk it is only kept in memory: the change that
   * it follows is done, and must not be reported as failed; a remount then counts names too many.
   */
  setLowerNames(key: ByteString, count: number): void {
    this.#lowerNames.set(key, count);
    try {
      this.#write(key, count);
    } catch (error) {
      if (!isFsError(error)) throw error;
    }
  }

  #write(key: ByteString, count: number): void {
    const upper = this.#upper;
    const present = this.#written.get(key);
    if (upper === undefined || present === count) return;
    this.#enter(countKey(key, count));
    this.#enterStack();
    this.#written.set(key, count);
    if (present !== undefined) upper.unindex(countKey(key, present));
  }

  /** An entry that is nothing but its name. */
  #enter(key: ByteString): void {
    const upper = this.#upper;
    if (upper === undefined) return;
    const { node, file } = upper.createUnnamed(
      upper.root,
      { type: "file", mode: 0, umask: 0, uid: 0, gid: 0 },
      O_RDWR,
    );
    try {
      upper.index(key, node);
    } finally {
      file.close();
      upper.forget(node);
    }
  }

  /** Nothing shows this inode any more. */
  remove(key: ByteString): void {
    const count = this.#written.get(key);
    const ino = this.#copies.get(key);
    if (ino !== undefined) {
      this.#upper?.unindex(key);
      this.#copies.delete(key);
      this.#keyByIno.delete(ino);
    }
    if (count !== undefined) {
      this.#upper?.unindex(countKey(key, count));
      this.#written.delete(key);
    }
    this.#lowerNames.delete(key);
  }

  /** A key for the copy of a file without names; such entries are removed after the next start. */
  orphanKey(): ByteString {
    return `${ORPHAN_PREFIX}${this.#orphans++}` as ByteString;
  }

  /** Keys of all copies. */
  copies(): Iterable<ByteString> {
    return this.#copies.keys();
  }
}

function countKey(key: ByteString, count: number): ByteString {
  return `${key}.${count}` as ByteString;
}
