// Which blocks of a partial file are its own: the map in memory, one bit a block. It is the truth
// while the upper is open; how it comes back after that is partial-copies.ts.

import type { OwnBlocks } from "./layer.js";

const BITS = 8;
const ALL = 0xff;

/** A map where at first no block is the file's own. */
export class BlockMap implements OwnBlocks {
  readonly blockBytes: number;
  readonly zeroesEnds: boolean;
  #limitBytes: number;
  readonly #bits: Uint8Array;
  /** Blocks that begin below the limit, and how many of them are not owned. */
  #count: number;
  #missing: number;

  constructor(blockBytes: number, limitBytes: number, zeroesEnds = false) {
    this.blockBytes = blockBytes;
    this.zeroesEnds = zeroesEnds;
    this.#limitBytes = limitBytes;
    this.#count = Math.ceil(limitBytes / blockBytes);
    this.#missing = this.#count;
    this.#bits = new Uint8Array(Math.ceil(this.#count / BITS));
  }

  get limitBytes(): number {
    return this.#limitBytes;
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  owns(position: number): boolean {
    return this.#has(Math.floor(position / this.blockBytes));
  }

  #has(block: number): boolean {
    if (block >= this.#count) return true;
    return ((this.#bits[Math.floor(block / BITS)] ?? 0) & (1 << (block % BITS))) !== 0;
  }

  runEnd(position: number, until: number): number {
    const first = Math.floor(position / this.blockBytes);
    const last = Math.min(Math.ceil(until / this.blockBytes), this.#count);
    const owned = this.#has(first);
    const whole = owned ? ALL : 0;
    let block = first + 1;
    while (block < last) {
      if (block % BITS === 0 && this.#bits[block / BITS] === whole) block += BITS;
      else if (this.#has(block) === owned) block += 1;
      else break;
    }
    if (block < last) return block * this.blockBytes;
    // Behind the last block that may be the lower file's, all are own.
    return owned ? until : Math.min(until, last * this.blockBytes);
  }

  wrote(start: number, end: number): void {
    const last = Math.min(Math.ceil(end / this.blockBytes), this.#count);
    let block = Math.floor(start / this.blockBytes);
    while (block < last) {
      const index = Math.floor(block / BITS);
      const bits = this.#bits[index] ?? 0;
      if (block % BITS === 0 && block + BITS <= last && (bits === 0 || bits === ALL)) {
        this.#bits[index] = ALL;
        this.#missing -= bits === 0 ? BITS : 0;
        block += BITS;
        continue;
      }
      const bit = 1 << (block % BITS);
      if ((bits & bit) === 0) this.#missing -= 1;
      this.#bits[index] = bits | bit;
      block += 1;
    }
  }

  /** Nothing of the lower file at or above `sizeBytes` counts any more. */
  lowerLimit(sizeBytes: number): void {
    if (sizeBytes >= this.#limitBytes) return;
    const count = Math.ceil(sizeBytes / this.blockBytes);
    // What is cut off is not missing.
    this.wrote(count * this.blockBytes, this.#count * this.blockBytes);
    this.#limitBytes = sizeBytes;
    this.#count = count;
  }
}
