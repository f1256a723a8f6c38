// Cases of open(2): every type of file with every flag that matters, creation, O_TMPFILE.

import { errno, isFsError } from "../../src/errors.js";
import * as sys from "../../src/sys/index.js";
import { type Case, define, fails, same } from "./case.js";
import { LONG_NAME, RAW_NAME, rootNames } from "./fixture.js";
import { raw, readAll, withUmask, writeAt } from "./place.js";

const { EEXIST, EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO } = errno;

/** Flags as columns; O_NONBLOCK is always added, so that no open of a fifo waits. */
const FLAGS: readonly (readonly [string, number])[] = [
  ["O_RDONLY", sys.O_RDONLY],
  ["O_WRONLY", sys.O_WRONLY],
  ["O_RDWR", sys.O_RDWR],
  ["O_DIRECTORY", sys.O_DIRECTORY],
  ["O_NOFOLLOW", sys.O_NOFOLLOW],
  ["O_CREAT|O_EXCL", sys.O_CREAT | sys.O_EXCL | sys.O_WRONLY],
  ["O_CREAT", sys.O_CREAT | sys.O_WRONLY],
  ["O_TRUNC|O_WRONLY", sys.O_TRUNC | sys.O_WRONLY],
  ["O_PATH", sys.O_PATH],
  ["O_APPEND|O_RDWR", sys.O_APPEND | sys.O_RDWR],
];

/** What each open answers, in the order of FLAGS; 0 is success. */
const MATRIX: Readonly<Record<string, readonly number[]>> = {
  file: [0, 0, 0, ENOTDIR, 0, EEXIST, 0, 0, 0, 0],
  topfile: [0, 0, 0, ENOTDIR, 0, EEXIST, 0, 0, 0, 0],
  large: [0, 0, 0, ENOTDIR, 0, EEXIST, 0, 0, 0, 0],
  replaced: [0, 0, 0, ENOTDIR, 0, EEXIST, 0, 0, 0, 0],
  [RAW_NAME]: [0, 0, 0, ENOTDIR, 0, EEXIST, 0, 0, 0, 0],
  [LONG_NAME]: [0, 0, 0, ENOTDIR, 0, EEXIST, 0, 0, 0, 0],
  directory: [0, EISDIR, EISDIR, 0, 0, EEXIST, EISDIR, EISDIR, 0, EISDIR],
  empty: [0, EISDIR, EISDIR, 0, 0, EEXIST, EISDIR, EISDIR, 0, EISDIR],
  covered: [0, EISDIR, EISDIR, 0, 0, EEXIST, EISDIR, EISDIR, 0, EISDIR],
  symlink: [0, 0, 0, ENOTDIR, ELOOP, EEXIST, 0, 0, 0, 0],
  dirlink: [0, EISDIR, EISDIR, 0, ELOOP, EEXIST, EISDIR, EISDIR, 0, EISDIR],
  dangling: [ENOENT, ENOENT, ENOENT, ENOENT, ELOOP, EEXIST, 0, ENOENT, ENOENT, ENOENT],
  loop: [ELOOP, ELOOP, ELOOP, ELOOP, ELOOP, EEXIST, ELOOP, ELOOP, ELOOP, ELOOP],
  fifo: [0, ENXIO, 0, ENOTDIR, 0, EEXIST, ENXIO, ENXIO, 0, 0],
  socket: [ENXIO, ENXIO, ENXIO, ENOTDIR, ENXIO, EEXIST, ENXIO, ENXIO, 0, ENXIO],
  null: [0, 0, 0, ENOTDIR, 0, EEXIST, 0, 0, 0, 0],
  missing: [ENOENT, ENOENT, ENOENT, ENOENT, ENOENT, 0, 0, ENOENT, ENOENT, ENOENT],
  gone: [ENOENT, ENOENT, ENOENT, ENOENT, ENOENT, 0, 0, ENOENT, ENOENT, ENOENT],
  "opaque/old": [ENOENT, ENOENT, ENOENT, ENOENT, ENOENT, 0, 0, ENOENT, ENOENT, ENOENT],
  "file/below": FLAGS.map(() => ENOTDIR),
  "missing/below": FLAGS.map(() => ENOENT),
};

function title(name: string): string {
  if (name === RAW_NAME) return "a name that is not UTF-8";
  return name === LONG_NAME ? "a name of 255 bytes" : name;
}

/** One case a type: all flags, each answered as the table says. */
const matrix: Case[] = Object.entries(MATRIX).flatMap(([name, answers]) =>
  FLAGS.map(([flagNames, flags], column) => {
    const expected = answers[column] ?? 0;
    return define(`open: ${title(name)} with ${flagNames}`, (place) => {
      const attempt = () => place.open(name, flags | sys.O_NONBLOCK);
      if (expected === 0) attempt();
      else fails(attempt, expected);
    });
  }),
);

const creation: Case[] = [
  define("create: a new file is empty, with the mode less the umask", (place) => {
    withUmask(0o027, () => place.open("new", sys.O_CREAT | sys.O_RDWR, 0o666));
    same(place.mode("new"), 0o640);
    same(place.stat("new").sizeBytes, 0);
    same(place.names().includes("new"), true);
  }),
  define("create: in a directory of the lower layer", (place) => {
    place.write("lower/two/new", "x");
    same(place.names("lower/two"), ["new", "three"]);
    same(place.read("lower/two/new"), "x");
  }),
  define("create: where a whiteout was, nothing of the old file shows", (place) => {
    place.write("gone", "new");
    same(place.read("gone"), "new");
    same(place.mode("gone"), 0o644);
  }),
  define("create: O_CREAT through a dangling link makes its target", (place) => {
    place.write("dangling", "made");
    same(place.read("nowhere"), "made");
  }),
  define("create: a descriptor of mode 0 is still writable", (place) => {
    const fd = place.open("closed", sys.O_CREAT | sys.O_RDWR, 0);
    writeAt(fd, "text", 0);
    same(readAll(fd), "text");
    same(place.mode("closed"), 0);
  }),
  define("create: names with every byte but NUL and slash", (place) => {
    const bytes = Array.from({ length: 255 }, (_, index) => String.fromCharCode(index + 1));
    const names = bytes.filter((byte) => byte !== "/").map((byte) => `byte${byte}`);
    for (const name of names) place.write(`empty/${name}`, name);
    same(place.names("empty"), [...names].sort());
    for (const name of names) same(place.read(`empty/${name}`), name);
  }),
  define("create: a listing shows exactly the new name more", (place) => {
    same(place.names(), rootNames());
    place.write("zz", "");
    same(place.names(), [...rootNames(), "zz"].sort());
  }),
  define("O_TRUNC: empties a lower file and keeps its inode", (place) => {
    const { ino } = place.stat("large");
    place.open("large", sys.O_WRONLY | sys.O_TRUNC);
    same(place.stat("large").sizeBytes, 0);
    same(place.stat("large").ino, ino);
    same(place.read("large"), "");
  }),
  define("O_TRUNC: changes mtime and keeps mode and owner", (place) => {
    const before = place.stat("file");
    place.open("file", sys.O_WRONLY | sys.O_TRUNC);
    const after = place.stat("file");
    same([after.mode, after.uid, after.gid], [before.mode, before.uid, before.gid]);
    same(after.mtimeSec > before.mtimeSec, true);
  }),
  define("O_APPEND: writes of two descriptors follow each other", (place) => {
    const first = place.open("file", sys.O_WRONLY | sys.O_APPEND);
    const second = place.open("file", sys.O_WRONLY | sys.O_APPEND);
    for (const [fd, text] of [
      [first, "1"],
      [second, "2"],
      [first, "3"],
    ] as const) {
      sys.write(fd, Buffer.from(text), 0, 1);
    }
    same(place.read("file"), "content of file\n123");
  }),
  define("O_TMPFILE: has no name until it is linked", (place) => {
    const fd = place.open("directory", sys.O_TMPFILE | sys.O_RDWR, 0o600);
    writeAt(fd, "temporary", 0);
    same(sys.statFd(fd).nlink, 0);
    const before = place.names("directory");
    sys.linkFd(fd, sys.AT_FDCWD, place.at("directory/named"));
    same(place.names("directory"), [...before, "named"].sort());
    same(place.read("directory/named"), "temporary");
    same(sys.statFd(fd).nlink, 1);
  }),
  define("O_TMPFILE: with O_EXCL can never be linked", (place) => {
    const fd = place.open("directory", sys.O_TMPFILE | sys.O_RDWR | sys.O_EXCL, 0o600);
    fails(() => sys.linkFd(fd, sys.AT_FDCWD, place.at("named")), ENOENT);
  }),
  define("O_TMPFILE: without write access is EINVAL", (place) => {
    fails(() => place.open("directory", sys.O_TMPFILE | sys.O_RDONLY, 0o600), errno.EINVAL);
  }),
  define("O_DIRECT: reads what is there, or is refused", (place) => {
    // Some file systems answer EINVAL; then there is nothing to see.
    let fd: number;
    try {
      fd = place.open("large", sys.O_RDONLY | sys.O_DIRECT);
    } catch (error) {
      if (isFsError(error, errno.EINVAL)) return;
      throw error;
    }
    same(sys.statFd(fd).sizeBytes, place.stat("large").sizeBytes);
  }),
];

const limits: Case[] = [
  define("path: a trailing slash asks for a directory", (place) => {
    fails(() => place.stat("file/"), ENOTDIR);
    place.stat("directory/");
    fails(() => place.open("new/", sys.O_CREAT | sys.O_WRONLY), EISDIR);
  }),
  define("path: a name of 256 bytes is ENAMETOOLONG, whatever is done", (place) => {
    const name = "x".repeat(256);
    const { ENAMETOOLONG } = errno;
    fails(() => place.stat(name), ENAMETOOLONG);
    fails(() => place.write(name, ""), ENAMETOOLONG);
    fails(() => place.mkdir(name), ENAMETOOLONG);
    fails(() => place.symlink("x", name), ENAMETOOLONG);
    fails(() => place.link("file", name), ENAMETOOLONG);
    fails(() => place.rename("file", name), ENAMETOOLONG);
    fails(() => place.mknod(name, sys.S_IFIFO | 0o600), ENAMETOOLONG);
    fails(() => place.unlink(name), ENAMETOOLONG);
    fails(() => place.rmdir(name), ENAMETOOLONG);
  }),
  define("path: a name of 255 bytes works, whatever is done", (place) => {
    const name = "x".repeat(255);
    place.write(name, "1");
    place.rename(name, `directory/${name}`);
    place.link(`directory/${name}`, name);
    place.unlink(name);
    place.mkdir(name);
    place.rmdir(name);
    place.symlink("file", name);
    same(place.read(name), "content of file\n");
  }),
  define("path: 41 symlinks in a row are ELOOP, 40 are not", (place) => {
    place.symlink("file", "s1");
    for (let index = 2; index <= 41; index++) place.symlink(`s${index - 1}`, `s${index}`);
    same(place.read("s40"), "content of file\n");
    fails(() => place.read("s41"), ELOOP);
  }),
  define("path: trees deeper than PATH_MAX work by descriptors", (place) => {
    const name = "d".repeat(250);
    let fd = place.open("lower", sys.O_RDONLY | sys.O_DIRECTORY);
    for (let depth = 0; depth < 20; depth++) {
      sys.mkdirAt(fd, raw(name), 0o755);
      const next = sys.openAt(fd, raw(name), sys.O_RDONLY | sys.O_DIRECTORY);
      place.close(fd);
      fd = place.adopt(next);
    }
    sys.mkdirAt(fd, raw("end"), 0o755);
    same(
      sys.readDirents(fd).map((dirent) => dirent.name as string),
      ["end"],
    );
  }),
];

export const openCases: readonly Case[] = [...matrix, ...creation, ...limits];
