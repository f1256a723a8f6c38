// What a worker chooses from: the names that it saw when it last looked, held-open files, fresh names.

import { type ByteString, compareBytes } from "../../src/path.js";
import {
  AT_FDCWD,
  Descriptor,
  DT_DIR,
  DT_REG,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  openAt,
  readDirents,
} from "../../src/sys/index.js";
import type { Random } from "../e2e/seeded-random.js";

const NAMES = ["a", "b", "c", "d", "dir", "file", "x y", "\xff\xfe", "\xc3\xa4", "n".repeat(255)];
const SIZES_BYTES = [0, 1, 100, 4096, 5000, 70_000, 300_000];
/** A tree grows to about so many names, then more is removed than made. */
const FULL = 250;

interface Known {
  readonly path: ByteString;
  readonly type: number;
}

export class KnownTree {
  readonly random: Random;
  readonly #root: ByteString;
  #all: Known[] = [];
  #directories: ByteString[] = [];
  #files: ByteString[] = [];
  #regular: ByteString[] = [];

  constructor(root: ByteString, random: Random) {
    this.#root = root;
    this.random = random;
    this.look();
  }

  /** Reads the names anew. */
  look(): void {
    const found: Known[] = [{ path: this.#root, type: DT_DIR }];
    for (const { path, type } of found) if (type === DT_DIR) found.push(...entriesOf(path));
    this.#all = found.slice(1);
    this.#directories = found.filter(({ type }) => type === DT_DIR).map(({ path }) => path);
    this.#files = found.filter(({ type }) => type !== DT_DIR).map(({ path }) => path);
    this.#regular = found.filter(({ type }) => type === DT_REG).map(({ path }) => path);
  }

  get full(): boolean {
    return this.#all.length > FULL;
  }

  /** A name that was there; not the root. */
  some(): ByteString {
    return this.random.oneOf(this.#all)?.path ?? this.fresh();
  }

  file(): ByteString {
    return this.random.oneOf(this.#files) ?? this.fresh();
  }

  regular(): ByteString {
    return this.random.oneOf(this.#regular) ?? this.fresh();
  }

  directory(): ByteString {
    return this.random.oneOf(this.#directories) ?? this.#root;
  }

  /** A name in some directory, there or not. */
  fresh(): ByteString {
    return `${this.directory()}/${this.random.oneOf(NAMES) ?? "a"}` as ByteString;
  }

  text(): string {
    return `${this.random.below(1_000_000)} `;
  }

  bytes(): Buffer {
    return Buffer.alloc(this.random.oneOf(SIZES_BYTES) ?? 0, this.text());
  }
}

/** Sorted: the file system's own order is its affair. */
function entriesOf(path: ByteString): Known[] {
  using directory = new Descriptor(openAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return readDirents(directory.fd)
    .sort((a, b) => compareBytes(a.name, b.name))
    .map(({ name, type }) => ({ path: `${path}/${name}` as ByteString, type }));
}
