// Cases of file content: read, write, truncate, fallocate, lseek, copy_file_range, mmap, and
// descriptors that stay open while the file is changed or unlinked.

import { errno, isFsError } from "../../src/errors.js";
import type { ByteString } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { type Case, define, fails, same } from "./case.js";
import { LARGE_BYTES, pattern, RAW_NAME } from "./fixture.js";
import { raw, readAll, readAt, writeAt } from "./place.js";

const { EBADF, EFBIG, EINVAL, EISDIR, ENOENT, ENXIO } = errno;
const FILES = [
  "file",
  "topfile",
  "large",
  "sparse",
  "void",
  "links-b",
  "lower/two/three",
  RAW_NAME,
];

function title(name: string): string {
  return name === RAW_NAME ? "a name that is not UTF-8" : name;
}

/** What a file holds after bytes were written somewhere. */
function patched(text: string, position: number, bytes: string): string {
  const padded = text.padEnd(position, "\0");
  return padded.slice(0, position) + bytes + padded.slice(position + bytes.length);
}

const writing: Case[] = [
  ...FILES.map((name) =>
    define(`write: one byte into ${title(name)}, and the rest stays`, (place) => {
      const before = place.read(name);
      const fd = place.open(name, sys.O_RDWR);
      writeAt(fd, "!", 5);
      same(readAll(fd), patched(before, 5, "!"));
      same(place.read(name), patched(before, 5, "!"));
    }),
  ),
  ...FILES.map((name) =>
    define(`truncate: ${title(name)} to shorter, to longer, to nothing`, (place) => {
      const before = place.read(name);
      const fd = place.open(name, sys.O_RDWR);
      sys.ftruncate(fd, 3);
      same(place.read(name), before.slice(0, 3).padEnd(3, "\0"));
      sys.ftruncate(fd, 10_000);
      same(place.read(name), before.slice(0, 3).padEnd(10_000, "\0"));
      same(place.stat(name).sizeBytes, 10_000);
      sys.ftruncate(fd, 0);
      same(place.read(name), "");
    }),
  ),
  define("write: far behind the end leaves a hole of zeros", (place) => {
    const fd = place.open("file", sys.O_RDWR);
    writeAt(fd, "end", 5_000_000);
    same(place.stat("file").sizeBytes, 5_000_003);
    same(readAt(fd, 4_999_998, 10), "\0\0end");
    same(place.stat("file").blocks < 1000, true);
  }),
  define("write: over block borders of a large lower file", (place) => {
    const fd = place.open("large", sys.O_RDWR);
    let expected = pattern(LARGE_BYTES);
    for (const position of [0, 4090, 65_530, 131_070, LARGE_BYTES - 3, LARGE_BYTES]) {
      writeAt(fd, "<-border->", position);
      expected = patched(expected, position, "<-border->");
    }
    same(readAll(fd), expected);
    same(place.read("large"), expected);
  }),
  define("write: a megabyte at once comes back whole", (place) => {
    const text = pattern(3_000_001);
    place.write("new", text);
    same(place.read("new"), text);
    place.write("large", text, 0);
    same(place.read("large"), text);
  }),
  define("write: two descriptors of one file see each other's bytes", (place) => {
    const one = place.open("file", sys.O_RDWR);
    const two = place.open("file", sys.O_RDWR);
    writeAt(one, "ONE", 0);
    writeAt(two, "TWO", 8);
    same(readAll(one), "ONEtent TWOfile\n".slice(0, 16));
    same(readAll(two), readAll(one));
  }),
  define("write: a small file's reader, open before its first change, sees the change", (place) => {
    const reader = place.open("file", sys.O_RDONLY);
    same(readAt(reader, 0, 7), "content");
    place.write("file", "CHANGED", 0);
    same(readAt(reader, 0, 7), "CHANGED");
    same(sys.statFd(reader).ino, place.stat("file").ino);
  }),
  define("write: a descriptor for reading is EBADF, and one for writing does not read", (place) => {
    const reader = place.open("file", sys.O_RDONLY);
    fails(() => sys.pwrite(reader, Buffer.from("x"), 0, 1, 0), EBADF);
    const writer = place.open("file", sys.O_WRONLY);
    fails(() => sys.pread(writer, Buffer.alloc(1), 0, 1, 0), EBADF);
    fails(() => sys.ftruncate(reader, 0), EBADF, EINVAL);
  }),
  define("read: of a directory is EISDIR", (place) => {
    fails(() => sys.pread(place.open("directory"), Buffer.alloc(1), 0, 1, 0), EISDIR);
    fails(() => sys.pread(place.open("empty"), Buffer.alloc(1), 0, 1, 0), EISDIR);
  }),
  define("read: behind the end is empty", (place) => {
    const fd = place.open("large");
    same(readAt(fd, LARGE_BYTES, 10), "");
    same(readAt(fd, LARGE_BYTES + 1_000_000, 10), "");
    same(readAt(fd, LARGE_BYTES - 2, 10).length, 2);
  }),
  define("write: moves mtime and leaves mode and owner", (place) => {
    const before = place.identity("links-a");
    place.write("links-a", "x", 0);
    const { mtime, ...after } = place.identity("links-a");
    same({ ...after, mtime: before.mtime }, before);
    same(mtime === before.mtime, false);
  }),
  define("truncate: to a negative size is EINVAL, to 2^63-1 EFBIG", (place) => {
    const fd = place.open("file", sys.O_RDWR);
    fails(() => sys.ftruncate(fd, -1), EINVAL);
    fails(() => sys.ftruncate(fd, Number.MAX_SAFE_INTEGER), EFBIG);
  }),
  define("fsync, fdatasync, syncfs: of files and directories", (place) => {
    for (const name of ["file", "large", "directory", ""]) {
      const fd = place.open(name);
      sys.fsync(fd);
      sys.fdatasync(fd);
    }
    const fd = place.open("file", sys.O_RDWR);
    writeAt(fd, "x", 0);
    sys.fsync(fd);
    sys.syncfs(fd);
    same(readAt(fd, 0, 2), "xo");
  }),
];

const { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE } = sys;

/** Some file systems know fewer modes of fallocate; the plain directory tells. */
function unlessUnsupported(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (isFsError(error, errno.EOPNOTSUPP)) return false;
    throw error;
  }
}

const space: Case[] = [
  define("fallocate: makes a file longer, with zeros", (place) => {
    const fd = place.open("file", sys.O_RDWR);
    sys.fallocate(fd, 0, 0, 100_000);
    same(place.stat("file").sizeBytes, 100_000);
    same(place.read("file"), "content of file\n".padEnd(100_000, "\0"));
  }),
  define("fallocate: KEEP_SIZE keeps the size", (place) => {
    const fd = place.open("file", sys.O_RDWR);
    sys.fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100_000);
    same(place.stat("file").sizeBytes, 16);
    same(place.stat("file").blocks >= 190, true);
  }),
  define("fallocate: PUNCH_HOLE makes zeros of a lower file's middle", (place) => {
    const fd = place.open("large", sys.O_RDWR);
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (!unlessUnsupported(() => sys.fallocate(fd, mode, 10_000, 100_000))) return;
    same(readAll(fd), patched(pattern(LARGE_BYTES), 10_000, "\0".repeat(100_000)));
    same(place.stat("large").sizeBytes, LARGE_BYTES);
  }),
  define("fallocate: ZERO_RANGE makes zeros, and may lengthen", (place) => {
    const fd = place.open("large", sys.O_RDWR);
    if (!unlessUnsupported(() => sys.fallocate(fd, FALLOC_FL_ZERO_RANGE, LARGE_BYTES - 10, 20)))
      return;
    same(place.stat("large").sizeBytes, LARGE_BYTES + 10);
    same(
      readAt(fd, LARGE_BYTES - 12, 30),
      `${pattern(LARGE_BYTES).slice(-12, -10)}${"\0".repeat(20)}`,
    );
  }),
  define("fallocate: COLLAPSE_RANGE and INSERT_RANGE by whole blocks", (place) => {
    const fd = place.open("large", sys.O_RDWR);
    const text = pattern(LARGE_BYTES);
    const done = unlessUnsupported(() =>
      sys.fallocate(fd, sys.FALLOC_FL_COLLAPSE_RANGE, 4096, 8192),
    );
    if (!done) return;
    same(readAll(fd), text.slice(0, 4096) + text.slice(12_288));
    sys.fallocate(fd, sys.FALLOC_FL_INSERT_RANGE, 4096, 4096);
    same(readAll(fd), `${text.slice(0, 4096)}${"\0".repeat(4096)}${text.slice(12_288)}`);
  }),
  define("fallocate: of length 0 is EINVAL, on a reader EBADF", (place) => {
    fails(() => sys.fallocate(place.open("file", sys.O_RDWR), 0, 0, 0), EINVAL);
    fails(() => sys.fallocate(place.open("file", sys.O_RDONLY), 0, 0, 10), EBADF);
  }),
  define("lseek: SEEK_DATA and SEEK_HOLE in a lower sparse file", (place) => {
    const fd = place.open("sparse");
    same(sys.lseek(fd, 0, sys.SEEK_DATA), 524_288);
    same(sys.lseek(fd, 0, sys.SEEK_HOLE), 0);
    same(sys.lseek(fd, 524_288, sys.SEEK_HOLE), 528_384);
    fails(() => sys.lseek(fd, 600_000, sys.SEEK_DATA), ENXIO);
    fails(() => sys.lseek(fd, 1_048_576, sys.SEEK_DATA), ENXIO);
    fails(() => sys.lseek(fd, 1_048_576, sys.SEEK_HOLE), ENXIO);
  }),
  define("lseek: SEEK_DATA and SEEK_HOLE after a change of it", (place) => {
    const fd = place.open("sparse", sys.O_RDWR);
    writeAt(fd, "x", 0);
    sys.fsync(fd);
    same(sys.lseek(fd, 0, sys.SEEK_DATA), 0);
    same(sys.lseek(fd, 0, sys.SEEK_HOLE), 4096);
    same(sys.lseek(fd, 4096, sys.SEEK_DATA), 524_288);
  }),
  define("lseek: a file without holes has one at its end", (place) => {
    const fd = place.open("large");
    same(sys.lseek(fd, 0, sys.SEEK_HOLE), LARGE_BYTES);
    same(sys.lseek(fd, 100, sys.SEEK_DATA), 100);
    same(sys.lseek(fd, 0, sys.SEEK_END), LARGE_BYTES);
    same(sys.lseek(fd, -10, sys.SEEK_CUR), LARGE_BYTES - 10);
    fails(() => sys.lseek(fd, -1, sys.SEEK_SET), EINVAL);
  }),
  define("copy_file_range: from a lower file into a new and into another lower one", (place) => {
    const from = place.open("large");
    for (const name of ["new", "file"]) {
      const to = place.open(name, sys.O_RDWR | sys.O_CREAT);
      let copied = 0;
      while (copied < 50_000) {
        copied += sys.copyFileRange(from, 1000 + copied, to, copied, 50_000 - copied);
      }
      same(place.read(name), pattern(LARGE_BYTES).slice(1000, 51_000));
    }
  }),
  define("copy_file_range: at the end of the source copies nothing", (place) => {
    const to = place.open("new", sys.O_RDWR | sys.O_CREAT);
    same(sys.copyFileRange(place.open("file"), 16, to, 0, 100), 0);
    same(sys.copyFileRange(place.open("file"), 14, to, 0, 100), 2);
    fails(() => sys.copyFileRange(to, 0, place.open("file"), 0, 1), EBADF);
  }),
];

const openFiles: Case[] = [
  ...["file", "topfile", "large", RAW_NAME].map((name) =>
    define(`unlinked: ${title(name)} open for reading is still all there`, (place) => {
      const before = place.read(name);
      const { ino } = place.stat(name);
      const fd = place.open(name);
      place.unlink(name);
      same(readAll(fd), before);
      same(sys.statFd(fd).nlink, 0);
      same(sys.statFd(fd).ino, ino);
      fails(() => place.open(name), ENOENT);
      place.write(name, "another");
      same(readAll(fd), before);
    }),
  ),
  ...["file", "large", "new"].map((name) =>
    define(`unlinked: ${name} open for writing can be changed in every way`, (place) => {
      const fd = place.open(name, sys.O_RDWR | sys.O_CREAT);
      place.unlink(name);
      writeAt(fd, "still here", 0);
      sys.ftruncate(fd, 5);
      same(readAll(fd), "still");
      sys.fchmod(fd, 0o604);
      sys.fchown(fd, 3, 4);
      sys.futimens(fd, { atimeSec: 1, atimeNsec: 2, mtimeSec: 3, mtimeNsec: 4 });
      sys.setxattrFd(fd, "user.x" as ByteString, Buffer.from("y"));
      sys.fsync(fd);
      const { mode, uid, gid, nlink, sizeBytes, mtimeSec, mtimeNsec } = sys.statFd(fd);
      same([mode & 0o7777, uid, gid, nlink], [0o604, 3, 4, 0]);
      same([sizeBytes, mtimeSec, mtimeNsec], [5, 3, 4]);
      same(sys.getxattrFd(fd, "user.x" as ByteString)?.toString(), "y");
      same(place.exists(name), false);
    }),
  ),
  define("unlinked: a lower file open for reading only takes chmod and fchown", (place) => {
    const fd = place.open("file", sys.O_RDONLY);
    place.unlink("file");
    sys.fchmod(fd, 0o600);
    sys.fchown(fd, 1, 2);
    const { mode, uid, nlink } = sys.statFd(fd);
    same([mode & 0o7777, uid, nlink], [0o600, 1, 0]);
    same(readAll(fd), "content of file\n");
  }),
  define("unlinked: nothing is left behind in the directory", (place) => {
    const fd = place.open("lower/two/three", sys.O_RDWR);
    place.unlink("lower/two/three");
    same(place.names("lower/two"), []);
    place.rmdir("lower/two");
    same(readAll(fd), "three\n");
  }),
  define("unlinked: an open directory that was removed takes nothing new", (place) => {
    const fd = place.open("empty");
    place.rmdir("empty");
    // The kernel answers by itself (IS_DEADDIR), so no listing is asked for.
    fails(() => sys.readDirents(fd), ENOENT);
    fails(() => sys.openAt(fd, raw("x"), sys.O_CREAT | sys.O_WRONLY, 0o600), ENOENT);
  }),
  define("unlinked: the other name of an open file goes on", (place) => {
    const fd = place.open("links-a", sys.O_RDWR);
    place.unlink("links-a");
    writeAt(fd, "LINKED", 0);
    same(place.read("links-b"), "LINKED\n");
    same(sys.statFd(fd).nlink, 2);
  }),
];

const MMAP = `
import mmap, os, sys
def check(condition, what):
    if not condition: sys.exit(what)
`;

const mapping: Case[] = [
  define(
    "mmap: private, of lower files, shows the content",
    (place) => {
      place.script(
        "python3",
        `${MMAP}
for name, text in (("file", b"content of file\\n"), ("topfile", b"from the top\\n")):
    with open(name, "rb") as f:
        m = mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
        check(m[:] == text, name)
with open("large", "rb") as f:
    m = mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    m[0:3] = b"xyz"
    check(os.pread(f.fileno(), 3, 0) == b"012", "a private write came through")
`,
      );
    },
    { needs: "python3" },
  ),
  ...["file", "large", "new"].map((name) =>
    define(
      `mmap: shared writes to ${name} reach the file, and writes reach the mapping`,
      (place) => {
        if (name === "new") place.write("new", pattern(5000));
        const before = place.read(name);
        place.script(
          "python3",
          `${MMAP}
fd = os.open("${name}", os.O_RDWR)
m = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
m[2:5] = b"MAP"
check(os.pread(fd, 3, 2) == b"MAP", "read after a mapped write")
os.pwrite(fd, b"PW", 6)
check(m[6:8] == b"PW", "mapping after a write")
m.flush()
other = os.open("${name}", os.O_RDONLY)
check(os.pread(other, 3, 2) == b"MAP", "another descriptor")
`,
        );
        same(place.read(name), patched(patched(before, 2, "MAP"), 6, "PW"));
      },
      { needs: "python3" },
    ),
  ),
  define(
    "mmap: a mapping of an unlinked file lives on",
    (place) => {
      place.script(
        "python3",
        `${MMAP}
fd = os.open("large", os.O_RDWR)
m = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
os.unlink("large")
os.close(fd)
m[0:3] = b"abc"
check(m[0:4] == b"abc3", "content")
`,
      );
    },
    { needs: "python3" },
  ),
];

export const contentCases: readonly Case[] = [...writing, ...space, ...openFiles, ...mapping];
