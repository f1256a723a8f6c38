// A program: changes a tree at random, by system calls. The same tree, seed and number make the same
// changes (but for the times that the kernel sets by itself).
//
//   node random-changes.js DIR SEED NUMBER [tell]
//
// With "tell" it says when each change begins and ends.

import { writeSync } from "node:fs";
import { isFsError } from "../../src/errors.js";
import { type ByteString, bytesOf, compareBytes, type Name } from "../../src/path.js";
import {
  AT_FDCWD,
  chmodAt,
  chownAt,
  Descriptor,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  fallocate,
  fsync,
  ftruncate,
  isDirectory,
  isRegular,
  linkAt,
  linkFd,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  openAt,
  pwriteFull,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  readDirents,
  removexattrAt,
  renameAt,
  rmdirAt,
  S_IFCHR,
  S_IFIFO,
  setxattrAt,
  statAt,
  symlinkAt,
  unlinkAt,
  utimensAt,
} from "../../src/sys/index.js";
import { type Random, seededRandom } from "./seeded-random.js";

const NAMES = ["a", "b", "c", "d", "dir", "file", "x y", "\xff\xfe", "\xc3\xa4", "n".repeat(255)];

/** A major number that no driver has: whoever opened such a device would get ENXIO. */
const NO_DRIVER = 511;

/** A name with what it lies in; `path` is the whole of it. */
interface Place {
  readonly path: ByteString;
  readonly isDirectory: boolean;
  readonly isRegular: boolean;
}

/** Everything in the tree, parents first. */
function placesIn(root: ByteString): Place[] {
  const found: Place[] = [{ path: root, isDirectory: true, isRegular: false }];
  for (const { path, isDirectory: walks } of found) {
    if (!walks) continue;
    for (const name of namesIn(path)) {
      const child = `${path}/${name}` as ByteString;
      const { mode } = statAt(AT_FDCWD, child);
      found.push({ path: child, isDirectory: isDirectory(mode), isRegular: isRegular(mode) });
    }
  }
  return found;
}

function namesIn(path: ByteString): Name[] {
  using directory = new Descriptor(openAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return readDirents(directory.fd)
    .map(({ name }) => name)
    .sort(compareBytes);
}

function removeTree(path: ByteString): void {
  if (!isDirectory(statAt(AT_FDCWD, path).mode)) {
    unlinkAt(AT_FDCWD, path);
    return;
  }
  for (const name of namesIn(path)) removeTree(`${path}/${name}` as ByteString);
  rmdirAt(AT_FDCWD, path);
}

/** What an operation may choose from. */
class Chooser {
  readonly random: Random;
  readonly #root: ByteString;
  readonly #places: readonly Place[];

  constructor(root: ByteString, random: Random) {
    this.random = random;
    this.#root = root;
    this.#places = placesIn(root);
  }

  /** A name that is there; not the root. */
  some(): ByteString {
    return this.random.oneOf(this.#places.slice(1))?.path ?? this.fresh();
  }

  /** The root too. */
  any(): ByteString {
    return this.random.oneOf(this.#places)?.path ?? this.#root;
  }

  file(): ByteString {
    const files = this.#places.filter((place) => !place.isDirectory);
    return this.random.oneOf(files)?.path ?? this.fresh();
  }

  /** A file with content. */
  regular(): ByteString {
    const files = this.#places.filter((place) => place.isRegular);
    return this.random.oneOf(files)?.path ?? this.fresh();
  }

  directory(): ByteString {
    const found = this.random.oneOf(this.#places.filter((place) => place.isDirectory));
    return found?.path ?? this.#root;
  }

  /** A name in some directory, there or not. */
  fresh(): ByteString {
    return `${this.directory()}/${this.random.oneOf(NAMES) ?? "a"}` as ByteString;
  }

  bytes(): Buffer {
    const sizes = [0, 1, 100, 4096, 5000, 70_000, 300_000];
    return Buffer.alloc(this.random.oneOf(sizes) ?? 0, `${this.random.below(1_000_000)} `);
  }
}

function withFile(path: ByteString, flags: number, use: (fd: number) => void): void {
  using file = new Descriptor(openAt(AT_FDCWD, path, flags | O_NOFOLLOW, 0o640));
  use(file.fd);
}

function write(fd: number, bytes: Uint8Array, offset: number): void {
  pwriteFull(fd, bytes, 0, bytes.length, offset);
}

type Change = (at: Chooser) => void;

const births: Readonly<Record<string, Change>> = {
  create: (at) => withFile(at.fresh(), O_RDWR | O_CREAT, (fd) => write(fd, at.bytes(), 0)),
  mkdir: (at) => mkdirAt(AT_FDCWD, at.fresh(), 0o751),
  symlink: (at) =>
    symlinkAt(bytesOf(at.random.oneOf(["a", "../b", "/etc"]) ?? ""), AT_FDCWD, at.fresh()),
  fifo: (at) => mknodAt(AT_FDCWD, at.fresh(), S_IFIFO | 0o611, 0, 0),
  device: (at) => mknodAt(AT_FDCWD, at.fresh(), S_IFCHR | 0o622, NO_DRIVER, at.random.below(300)),
  tmpfile: (at) =>
    withFile(at.directory(), O_TMPFILE | O_RDWR, (fd) => {
      write(fd, at.bytes(), 0);
      linkFd(fd, AT_FDCWD, at.fresh());
    }),
  link: (at) => linkAt(AT_FDCWD, at.file(), AT_FDCWD, at.fresh()),
};

const removals: Readonly<Record<string, Change>> = {
  unlink: (at) => unlinkAt(AT_FDCWD, at.file()),
  rmdir: (at) => rmdirAt(AT_FDCWD, at.some()),
  removeTree: (at) => removeTree(at.some()),
  replaceTree: (at) => {
    const path = at.some();
    removeTree(path);
    mkdirAt(AT_FDCWD, path, 0o700);
  },
  fileForTree: (at) => {
    const path = at.some();
    removeTree(path);
    withFile(path, O_RDWR | O_CREAT, (fd) => write(fd, at.bytes(), 0));
  },
};

const moves: Readonly<Record<string, Change>> = {
  rename: (at) => renameAt(AT_FDCWD, at.some(), AT_FDCWD, at.fresh(), 0),
  renameOver: (at) => renameAt(AT_FDCWD, at.some(), AT_FDCWD, at.some(), 0),
  renameFresh: (at) => renameAt(AT_FDCWD, at.some(), AT_FDCWD, at.fresh(), RENAME_NOREPLACE),
  exchange: (at) => renameAt(AT_FDCWD, at.some(), AT_FDCWD, at.some(), RENAME_EXCHANGE),
};

const writes: Readonly<Record<string, Change>> = {
  write: (at) =>
    withFile(at.regular(), O_RDWR, (fd) => write(fd, at.bytes(), at.random.below(9000))),
  writeFar: (at) =>
    withFile(at.regular(), O_RDWR, (fd) => write(fd, at.bytes(), at.random.below(5_000_000))),
  sparse: (at) => withFile(at.regular(), O_RDWR, (fd) => write(fd, at.bytes(), 400_000)),
  truncate: (at) => withFile(at.regular(), O_RDWR, (fd) => ftruncate(fd, at.random.below(9000))),
  openTruncate: (at) => withFile(at.regular(), O_RDWR | O_TRUNC, () => undefined),
  punch: (at) =>
    withFile(at.regular(), O_RDWR, (fd) =>
      fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at.random.below(3) * 4096, 4096),
    ),
  sync: (at) => withFile(at.regular(), O_RDWR, fsync),
};

const attributes: Readonly<Record<string, Change>> = {
  chmod: (at) => chmodAt(AT_FDCWD, at.any(), at.random.oneOf([0o755, 0o600, 0o4711, 0o1777]) ?? 0),
  chown: (at) =>
    chownAt(AT_FDCWD, at.any(), at.random.below(3), at.random.oneOf([0, 5, 3_000_000]) ?? 0),
  setxattr: (at) => setxattrAt(AT_FDCWD, at.any(), bytesOf("user.x"), Buffer.from([0, 255, 10])),
  setTrusted: (at) =>
    setxattrAt(AT_FDCWD, at.any(), bytesOf("trusted.y"), at.bytes().subarray(0, 50)),
  removexattr: (at) => removexattrAt(AT_FDCWD, at.any(), bytesOf("user.x")),
  utimens: (at) => {
    const sec = at.random.oneOf([0, -5, 1_700_000_000, 4_294_967_296]) ?? 0;
    const nsec = at.random.below(1_000_000_000);
    utimensAt(AT_FDCWD, at.any(), { atimeSec: 7, atimeNsec: 8, mtimeSec: sec, mtimeNsec: nsec });
  },
};

const changes: readonly [string, Change][] = [
  // Births are the most, so that the tree does not wither.
  ...Object.entries(births),
  ...Object.entries(births),
  ...Object.entries(births),
  ...Object.entries(births),
  ...Object.entries(removals),
  ...Object.entries(moves),
  ...Object.entries(moves),
  ...Object.entries(writes),
  ...Object.entries(attributes),
];

/** Errors of a file system that is broken or gone; most others are right (a directory over a file). */
const BROKEN = ["EIO", "ESTALE", "ENOTCONN", "ECONNABORTED", "ENOSYS"];

const [, , directory = "", seed = "0", number = "0", tell] = process.argv;
const root = bytesOf(directory);
const random = seededRandom(Number(seed));
const counts = new Map<string, number>();
for (let n = 0; n < Number(number); n += 1) {
  const [name, change] = random.oneOf(changes) ?? ["nothing", () => undefined];
  if (tell === "tell") writeSync(1, `begin ${name}\n`);
  try {
    change(new Chooser(root, random));
    counts.set(name, (counts.get(name) ?? 0) + 1);
  } catch (error) {
    if (!isFsError(error) || BROKEN.includes(error.code)) throw error;
  }
  if (tell === "tell") writeSync(1, "end\n");
}
process.stdout.write(`${JSON.stringify(Object.fromEntries(counts))}\n`);
