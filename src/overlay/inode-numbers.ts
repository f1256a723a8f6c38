// Inode numbers of the merged tree. Layers lie on different file systems, each with numbers of its
// own, but one mount shows one st_dev: so the high bits of a shown number tell the file system
// apart (overlayfs.rst, "Inode properties", xino). Numbers stay the same over remounts.

import type { Layer } from "../layer/index.js";

const DEFAULT_HIGH_BITS = 8;
const WORD = 64;

/** Numbers are disjoint between devices, equal for equal (device, number), and never change. */
export class InodeNumbers {
  /** Numbers at or above this use the high bits themselves. */
  readonly #limit: bigint;
  readonly #reserved: bigint;
  /** By slot: what the device adds to a number. */
  readonly #prefixes: bigint[] = [];
  readonly #devices = new Map<number, bigint>();
  readonly #maxDevices: number;

  constructor(highBits: number = DEFAULT_HIGH_BITS) {
    this.#limit = 1n << BigInt(WORD - highBits);
    this.#maxDevices = 2 ** highBits - 1;
    this.#reserved = BigInt(this.#maxDevices) * this.#limit;
  }

  /**
   * Layers are added base first, so that a layer on top does not renumber what lies below it.
   * The first device's numbers are shown as they are.
   */
  add(layer: Layer): void {
    let prefix = this.#devices.get(layer.device);
    if (prefix === undefined) {
      prefix = BigInt(Math.min(this.#devices.size, this.#maxDevices)) * this.#limit;
      this.#devices.set(layer.device, prefix);
    }
    this.#prefixes.push(prefix);
  }

  /** The number to show for an inode of the layer in this slot. */
  shown(slot: number, ino: bigint): bigint {
    const prefix = this.#prefixes[slot] ?? this.#reserved;
    if (prefix === 0n && ino < this.#limit) return ino;
    if (prefix === this.#reserved || ino >= this.#limit) return this.#hashed(prefix, ino);
    return prefix + ino;
  }

  /**
   * A number that has no room for the device: a 64-bit mix (splitmix64's) of both, in a range that
   * no device uses. Two of a million such numbers meet once in some 10^5 file systems.
   */
  #hashed(prefix: bigint, ino: bigint): bigint {
    let mix = BigInt.asUintN(WORD, (ino ^ prefix) + 0x9e3779b97f4a7c15n);
    mix = BigInt.asUintN(WORD, (mix ^ (mix >> 30n)) * 0xbf58476d1ce4e5b9n);
    mix = BigInt.asUintN(WORD, (mix ^ (mix >> 27n)) * 0x94d049bb133111ebn);
    return this.#reserved + ((mix ^ (mix >> 31n)) % this.#limit);
  }
}
