// Inodes that the kernel knows and nobody uses, as records of some 40 bytes: a node with all that
// belongs to it takes a thousand. A record says by which name an inode is found again; only files that
// are found again by it may become one (inode-table.ts).

import { assert } from "../../assert.js";
import type { Name } from "../../path.js";

const CHUNK_BITS = 12;
const CHUNK_SIZE = 1 << CHUNK_BITS;
const FIRST_TEXT_BYTES = 16 * CHUNK_SIZE;
const FIRST_SLOTS = 4096;
/** In the table of names: here was one, what comes after it is still to be found. */
const GONE = 0xffff_ffff;
/** Larger node ids have no room in the table. */
export const MAX_DORMANT_ID = GONE - 1;
/** More have no room in a record. */
export const MAX_DORMANT_LOOKUPS = 0xffff_ffff;

/** What is kept of an inode. */
export interface DormantInode {
  /** Node id of the directory that it is found in. */
  readonly parentId: number;
  readonly name: Name;
  readonly lookups: number;
  readonly flags: number;
}

/** The records of the node ids from a multiple of CHUNK_SIZE on. Ids count up, so they lie together. */
class Chunk {
  readonly parents = new Uint32Array(CHUNK_SIZE);
  /** 0 where there is no record. */
  readonly lookups = new Uint32Array(CHUNK_SIZE);
  readonly flags = new Uint8Array(CHUNK_SIZE);
  /** Where a name begins in `text`: its length in a byte, then its bytes. */
  readonly names = new Uint32Array(CHUNK_SIZE);
  text = Buffer.alloc(FIRST_TEXT_BYTES);
  textBytes = 1;
  live = 0;

  name(at: number): Name {
    const start = this.names[at] ?? 0;
    return this.text.toString("latin1", start + 1, start + 1 + (this.text[start] ?? 0)) as Name;
  }

  /** The name of an inode that may become a record never changes: it is written once. */
  setName(at: number, name: Name): void {
    if (this.names[at] !== 0 && this.name(at) === name) return;
    while (this.textBytes + 1 + name.length > this.text.length) {
      this.text = Buffer.concat([this.text, Buffer.alloc(this.text.length)]);
    }
    this.names[at] = this.textBytes;
    this.text[this.textBytes] = name.length;
    this.textBytes += 1 + this.text.write(name, this.textBytes + 1, "latin1");
  }
}

/** All records, found by node id and by directory and name. */
export class DormantInodes {
  readonly #chunks = new Map<number, Chunk>();
  /** A table of ids by directory and name: open addressing, one step at a time. 0: nothing was here. */
  #slots = new Uint32Array(FIRST_SLOTS);
  /** Slots that are not 0. */
  #used = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(id: number): boolean {
    return (this.#chunks.get(id >>> CHUNK_BITS)?.lookups[id & (CHUNK_SIZE - 1)] ?? 0) > 0;
  }

  add(id: number, inode: DormantInode): void {
    assert(id <= MAX_DORMANT_ID && inode.lookups > 0, "a dormant inode is one that is known");
    if (2 * (this.#used + 1) > this.#slots.length) this.#rebuild();
    let chunk = this.#chunks.get(id >>> CHUNK_BITS);
    if (chunk === undefined) {
      chunk = new Chunk();
      this.#chunks.set(id >>> CHUNK_BITS, chunk);
    }
    const at = id & (CHUNK_SIZE - 1);
    chunk.parents[at] = inode.parentId;
    chunk.lookups[at] = inode.lookups;
    chunk.flags[at] = inode.flags;
    chunk.setName(at, inode.name);
    chunk.live += 1;
    this.#size += 1;
    this.#enter(id, hashOf(inode.parentId, inode.name));
  }

  /** The node id under a name; 0 where there is none. */
  find(parentId: number, name: Name): number {
    if (this.#size === 0) return 0;
    const slot = this.#slotOf(parentId, name);
    return slot < 0 ? 0 : (this.#slots[slot] ?? 0);
  }

  /** Takes the record out. */
  take(id: number): DormantInode | undefined {
    const chunk = this.#chunks.get(id >>> CHUNK_BITS);
    const at = id & (CHUNK_SIZE - 1);
    const lookups = chunk?.lookups[at] ?? 0;
    if (chunk === undefined || lookups === 0) return undefined;
    const parentId = chunk.parents[at] ?? 0;
    const inode = { parentId, name: chunk.name(at), lookups, flags: chunk.flags[at] ?? 0 };
    const slot = this.#slotOf(parentId, inode.name);
    if (slot >= 0) this.#slots[slot] = GONE;
    chunk.lookups[at] = 0;
    chunk.live -= 1;
    this.#size -= 1;
    if (chunk.live === 0) this.#chunks.delete(id >>> CHUNK_BITS);
    if (this.#size === 0) this.#startAnew(FIRST_SLOTS);
    return inode;
  }

  /** `count` lookups less; the record if that was the last of them: it is gone then. */
  forget(id: number, count: number): DormantInode | undefined {
    const chunk = this.#chunks.get(id >>> CHUNK_BITS);
    const at = id & (CHUNK_SIZE - 1);
    const lookups = chunk?.lookups[at] ?? 0;
    if (chunk === undefined || lookups === 0) return undefined;
    if (lookups <= count) return this.take(id);
    chunk.lookups[at] = lookups - count;
    return undefined;
  }

  #slotOf(parentId: number, name: Name): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(parentId, name) & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot] ?? 0;
      if (id === 0) return -1;
      if (id !== GONE && this.#is(id, parentId, name)) return slot;
    }
  }

  #is(id: number, parentId: number, name: Name): boolean {
    const chunk = this.#chunks.get(id >>> CHUNK_BITS);
    const at = id & (CHUNK_SIZE - 1);
    if (chunk === undefined || chunk.parents[at] !== parentId) return false;
    const start = chunk.names[at] ?? 0;
    if (chunk.text[start] !== name.length) return false;
    for (let index = 0; index < name.length; index++) {
      if (chunk.text[start + 1 + index] !== name.charCodeAt(index)) return false;
    }
    return true;
  }

  #enter(id: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while ((this.#slots[slot] ?? 0) !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = id;
    this.#used += 1;
  }

  #startAnew(slots: number): void {
    this.#slots = new Uint32Array(slots);
    this.#used = 0;
  }

  /** Twice the room, or as much without those that are gone. */
  #rebuild(): void {
    const before = this.#slots;
    this.#startAnew(4 * this.#size >= before.length ? 2 * before.length : before.length);
    for (const id of before) {
      const chunk = id === 0 || id === GONE ? undefined : this.#chunks.get(id >>> CHUNK_BITS);
      const at = id & (CHUNK_SIZE - 1);
      if (chunk !== undefined) this.#enter(id, hashOf(chunk.parents[at] ?? 0, chunk.name(at)));
    }
  }
}

/** FNV-1a, and a last mixing because its low bits alone are used. */
function hashOf(parentId: number, name: Name): number {
  let hash = Math.imul(parentId ^ 0x811c9dc5, 0x01000193);
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
