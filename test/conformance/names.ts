// Cases of making and removing names: mkdir, rmdir, unlink, link, symlink, readlink, mknod.

import { errno } from "../../src/errors.js";
import * as sys from "../../src/sys/index.js";
import { type Case, define, fails, same } from "./case.js";
import { LONG_NAME, RAW_NAME } from "./fixture.js";
import { withUmask } from "./place.js";

const { EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY, EPERM } = errno;

/** Everything of the fixture that unlink removes. */
const FILES = [
  ...["file", "topfile", "large", "replaced", "symlink", "dangling", "loop", "dirlink", "fifo"],
  ...["socket", "null", "block", "links-a", "directory/a", "directory/c", "opaque/new"],
  ...["lower/two/three", RAW_NAME, LONG_NAME],
];
const EMPTY = ["empty", "hollow"];
const FULL = ["directory", "covered", "opaque", "lower", "directory/mixed", "sticky"];

function title(name: string): string {
  if (name === RAW_NAME) return "a name that is not UTF-8";
  return name === LONG_NAME ? "a name of 255 bytes" : name;
}

function parent(name: string): string {
  return name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "";
}

const removal: Case[] = [
  ...FILES.map((name) =>
    define(`unlink: ${title(name)} is gone, and its name free again`, (place) => {
      const others = place.names(parent(name)).filter((other) => !name.endsWith(other));
      place.unlink(name);
      same(place.exists(name), false);
      fails(() => place.unlink(name), ENOENT);
      const left = place.names(parent(name));
      same(
        left.filter((other) => !name.endsWith(other)),
        others,
      );
      place.write(name, "again", sys.O_CREAT | sys.O_EXCL);
      same(place.read(name), "again");
    }),
  ),
  ...[...EMPTY, ...FULL].map((name) =>
    define(`unlink: the directory ${name} is EISDIR`, (place) => {
      fails(() => place.unlink(name), EISDIR);
    }),
  ),
  ...EMPTY.map((name) =>
    define(`rmdir: ${name} is gone, and made again it is empty`, (place) => {
      place.rmdir(name);
      same(place.exists(name), false);
      place.mkdir(name);
      same(place.names(name), []);
    }),
  ),
  ...FULL.map((name) =>
    define(`rmdir: ${name} is ENOTEMPTY`, (place) => {
      const names = place.names(name);
      fails(() => place.rmdir(name), ENOTEMPTY, EEXIST);
      same(place.names(name), names);
    }),
  ),
  ...["file", "symlink", "dirlink", "fifo", "null"].map((name) =>
    define(`rmdir: ${name} is ENOTDIR`, (place) => {
      fails(() => place.rmdir(name), ENOTDIR);
    }),
  ),
  define("rmdir: a missing or whited-out name is ENOENT", (place) => {
    fails(() => place.rmdir("missing"), ENOENT);
    fails(() => place.rmdir("gone"), ENOENT);
    fails(() => place.unlink("directory/gone"), ENOENT);
  }),
  define("rmdir: '.' is EINVAL and '..' is ENOTEMPTY", (place) => {
    fails(() => place.rmdir("empty/."), EINVAL);
    fails(() => place.rmdir("empty/.."), ENOTEMPTY);
  }),
  define("rm -r: of a merged directory, then mkdir: nothing of it comes back", (place) => {
    place.script("sh", "rm -r directory");
    same(place.exists("directory"), false);
    place.mkdir("directory");
    same(place.names("directory"), []);
    same(place.exists("directory/a"), false);
    same(place.exists("directory/mixed/x"), false);
    place.write("directory/a", "mine");
    same(place.names("directory"), ["a"]);
    same(place.read("directory/a"), "mine");
  }),
  define("rm -r: of a lower directory, then a file, then a directory of that name", (place) => {
    place.script("sh", "rm -r lower && echo file > lower && rm lower && mkdir -p lower/two");
    same(place.names("lower"), ["two"]);
    same(place.names("lower/two"), []);
  }),
  define("rm -r: removing all files leaves a directory that rmdir takes", (place) => {
    for (const name of place.names("lower/two")) place.unlink(`lower/two/${name}`);
    place.rmdir("lower/two");
    same(place.names("lower"), ["one"]);
  }),
];

const creation: Case[] = [
  ...["file", "directory", "symlink", "dangling", "loop", "fifo", "hollow", "socket"].map((name) =>
    define(`mkdir, symlink, mknod, link: over ${name} is EEXIST`, (place) => {
      const before = place.identity(name);
      fails(() => place.mkdir(name), EEXIST);
      fails(() => place.symlink("x", name), EEXIST);
      fails(() => place.mknod(name, sys.S_IFIFO | 0o600), EEXIST);
      fails(() => place.link("readonly", name), EEXIST);
      same(place.identity(name), before);
    }),
  ),
  ...["missing", "gone", "directory/gone", "opaque/old", "lower/new", "hollow/y"].map((name) =>
    define(`mkdir: ${name} is a new empty directory`, (place) => {
      withUmask(0o022, () => place.mkdir(name, 0o777));
      same(place.names(name), []);
      same(place.mode(name), 0o755);
      place.write(`${name}/child`, "x");
      same(place.names(name), ["child"]);
    }),
  ),
  define("mkdir: below a file is ENOTDIR, below nothing ENOENT, below a loop ELOOP", (place) => {
    fails(() => place.mkdir("file/x"), ENOTDIR);
    fails(() => place.mkdir("missing/x"), ENOENT);
    fails(() => place.mkdir("loop/x"), ELOOP);
    fails(() => place.mkdir("gone/x"), ENOENT);
  }),
  define("mkdir: through a link to a directory", (place) => {
    place.mkdir("dirlink/made");
    same(place.exists("directory/made"), true);
  }),
  define("mkdir: sticky and setgid bits of the mode", (place) => {
    withUmask(0, () => place.mkdir("new", 0o1777));
    same(place.mode("new"), 0o1777);
  }),
  define("mkdir: a directory counts its subdirectories, or none", (place) => {
    place.mkdir("new");
    const before = place.stat("new").nlink;
    place.mkdir("new/one");
    place.mkdir("new/two");
    const after = place.stat("new").nlink;
    same(before === 1 ? after === 1 : after === before + 2, true);
  }),
  define(
    "directories: find's leaf rule holds (link count 1, or 2 and one a subdirectory)",
    (place) => {
      for (const name of ["directory", "lower", "opaque", "covered", "hollow", "empty"]) {
        const children = place.dirents(name).filter((dirent) => dirent.type === sys.DT_DIR);
        const { nlink } = place.stat(name);
        same(nlink === 1 || nlink === 2 + children.length, true, `${name}: ${nlink} links`);
      }
    },
  ),
  ...(
    [
      ["fifo", sys.S_IFIFO, 0, 0],
      ["socket", sys.S_IFSOCK, 0, 0],
      ["character device", sys.S_IFCHR, 1, 7],
      ["block device", sys.S_IFBLK, 240, 70_000],
      ["regular file", sys.S_IFREG, 0, 0],
    ] as const
  ).map(([kind, type, major, minor]) =>
    define(`mknod: a ${kind}, in a merged directory and over a whiteout`, (place) => {
      for (const name of ["directory/new", "directory/gone"]) {
        withUmask(0o022, () => place.mknod(name, type | 0o666, major, minor));
        const stat = place.stat(name);
        same(stat.mode, type | 0o644);
        same([stat.rdevMajor, stat.rdevMinor], [major, minor]);
        same(
          place.dirents("directory").some((d) => d.type === sys.direntType(type)),
          true,
        );
      }
    }),
  ),
  define("mknod: a device of the fixture works (null)", (place) => {
    place.write("null", "swallowed", 0);
    same(place.read("null"), "");
    same([place.stat("null").rdevMajor, place.stat("null").rdevMinor], [1, 3]);
  }),
  define("mknod: device 0:0 is a device like others, and no whiteout", (place) => {
    if (!sys.features().mknodDevices) {
      // What stands for it takes the right to make devices, or a record.
      fails(() => place.mknod("new", sys.S_IFCHR | 0o600, 0, 1), errno.EPERM);
      return;
    }
    for (const [name, made] of [
      ["new", "moved"],
      ["directory/sub/new", "gone"],
    ] as const) {
      place.mknod(name, sys.S_IFCHR | 0o600, 0, 0);
      const isDevice = (path: string) => {
        const { mode, rdevMajor, rdevMinor } = place.stat(path);
        same([mode & sys.S_IFMT, rdevMajor, rdevMinor], [sys.S_IFCHR, 0, 0]);
      };
      isDevice(name);
      place.rename(name, made);
      same(place.exists(name), false);
      isDevice(made);
      const listed = place.dirents(".").find((dirent) => dirent.name === made);
      same(listed?.type, sys.DT_CHR);
      place.chmod(made, 0o640);
      place.link(made, "second");
      isDevice("second");
      same([place.stat("second").mode & 0o777, place.stat(made).nlink], [0o640, 2]);
      place.unlink(made);
      place.unlink("second");
      same(place.exists(made), false);
    }
    // Over a lower name, and as a whiteout of a union inside would be made.
    place.unlink("file");
    place.mknod("file", sys.S_IFCHR, 0, 0);
    same(place.stat("file").rdevMinor, 0);
    place.rename("topfile", "file");
    same(place.read("file"), "from the top\n");
  }),
  define("mknod: what stands for a device 0:0 elsewhere is a device of its own here", (place) => {
    if (!sys.features().mknodDevices) return;
    for (const minor of [0x3ffff, 0x3fffe]) {
      place.mknod("new", sys.S_IFCHR | 0o600, 0, minor);
      same(place.stat("new").rdevMinor, minor);
      place.unlink("new");
    }
  }),
];

const links: Case[] = [
  ...["file", "topfile", "large", "symlink", "dangling", "fifo", "null", "socket", RAW_NAME].map(
    (name) =>
      define(`link: ${title(name)} has two names and one inode`, (place) => {
        const before = place.identity(name);
        place.link(name, "directory/second");
        const expected = { ...before, nlink: 2 };
        same(place.identity("directory/second"), expected);
        same(place.identity(name), expected);
        place.unlink(name);
        same(place.identity("directory/second"), before);
      }),
  ),
  define("link: a directory is EPERM", (place) => {
    fails(() => place.link("directory", "second"), EPERM);
    fails(() => place.link("empty", "second"), EPERM);
  }),
  define("link: from nothing is ENOENT, below a file ENOTDIR", (place) => {
    fails(() => place.link("missing", "second"), ENOENT);
    fails(() => place.link("gone", "second"), ENOENT);
    fails(() => place.link("file", "topfile/second"), ENOTDIR);
    fails(() => place.link("file", "missing/second"), ENOENT);
  }),
  define("links: three lower names are one inode", (place) => {
    const { ino, nlink } = place.stat("links-a");
    same(nlink, 3);
    same(place.stat("links-b").ino, ino);
    same(place.stat("directory/links-c").ino, ino);
  }),
  define("links: a write through one name is seen through the others", (place) => {
    place.write("links-b", "changed\n");
    same(place.read("links-a"), "changed\n");
    same(place.read("directory/links-c"), "changed\n");
    same(place.stat("links-a").nlink, 3);
    same(place.stat("links-a").ino, place.stat("directory/links-c").ino);
  }),
  define("links: chmod, chown and times through one name are seen through the others", (place) => {
    place.chmod("directory/links-c", 0o600);
    place.chown("links-a", 7, 8);
    same(place.identity("links-b"), place.identity("links-a"));
    same(place.identity("links-b"), place.identity("directory/links-c"));
    same(place.mode("links-b"), 0o600);
  }),
  define("links: the count falls with each name, also after a change", (place) => {
    place.unlink("links-b");
    same(place.stat("links-a").nlink, 2);
    place.chmod("links-a", 0o600);
    same(place.stat("directory/links-c").nlink, 2);
    place.unlink("links-a");
    same(place.stat("directory/links-c").nlink, 1);
    same(place.mode("directory/links-c"), 0o600);
    same(place.read("directory/links-c"), "linked\n");
  }),
  define("links: a fourth name of a lower inode", (place) => {
    place.link("links-b", "links-d");
    same(place.stat("directory/links-c").nlink, 4);
    place.write("links-d", "all\n");
    same(place.read("links-a"), "all\n");
  }),
  define("links: an open descriptor sees the count fall to 0", (place) => {
    const fd = place.open("links-a");
    for (const name of ["links-a", "links-b", "directory/links-c"]) place.unlink(name);
    same(sys.statFd(fd).nlink, 0);
  }),
];

const symlinks: Case[] = [
  define("symlink: keeps its target, byte for byte", (place) => {
    for (const [index, target] of ["x", "../y/z", "\xff\xfe", "t".repeat(4095), " "].entries()) {
      place.symlink(target, `new${index}`);
      same(place.readlink(`new${index}`), target);
      same(place.stat(`new${index}`).sizeBytes, target.length);
    }
  }),
  define("symlink: over a whiteout and in a merged directory", (place) => {
    place.symlink("a", "directory/gone");
    same(place.read("directory/gone"), "a\n");
    same(place.stat("directory/gone").mode, sys.S_IFLNK | 0o777);
  }),
  define("symlink: an empty target is ENOENT", (place) => {
    fails(() => place.symlink("", "new"), ENOENT);
  }),
  define("readlink: of what is no symlink is EINVAL", (place) => {
    for (const name of ["file", "directory", "fifo", "null"]) {
      fails(() => place.readlink(name), EINVAL);
    }
    fails(() => place.readlink("missing"), ENOENT);
  }),
  define("readlink: of lower links, also after their owner changed", (place) => {
    place.chown("symlink", 5, 6);
    same(place.readlink("symlink"), "file");
    same(place.readlink("dangling"), "nowhere");
    same(place.read("symlink"), "content of file\n");
  }),
];

/** What unions take for whiteouts, and what ours keeps such names as. */
const MARK_LIKE = [".wh.file", ".wh..wh..opq", ".wh.", ".wh..", ".strata.wh.x", ".strata.x"];

const markLike: Case[] = [
  define("names: that begin with .wh. hide nothing, and are made and found as others", (place) => {
    const before = place.names();
    for (const name of MARK_LIKE) place.write(name, name);
    same(place.names().sort(), [...before, ...MARK_LIKE].sort());
    for (const name of MARK_LIKE) same(place.read(name), name);
    same(place.read("file"), "content of file\n");
    for (const name of MARK_LIKE) place.unlink(name);
    same(place.names().sort(), [...before].sort());
    fails(() => place.stat(".wh.file"), ENOENT);
  }),
  define("names: that begin with .wh. are renamed, linked and directories", (place) => {
    place.rename("directory", ".wh.file");
    same(place.read(".wh.file/a").length > 0, true);
    place.link("file", ".wh.file/.wh.a");
    same(place.names(".wh.file").includes(".wh.a"), true);
    place.rename("topfile", ".wh.a");
    place.rename(".wh.a", ".wh.file/a");
    place.mkdir(".wh.d");
    place.symlink(".wh.d", ".wh.link");
    place.write(".wh.link/.wh.x", "x");
    same(place.read(".wh.d/.wh.x"), "x");
    fails(() => place.rmdir(".wh.d"), ENOTEMPTY);
    place.unlink(".wh.d/.wh.x");
    place.rmdir(".wh.d");
    place.rename(".wh.file", "directory");
    same(place.exists("directory/.wh.a"), true);
  }),
];

export const nameCases: readonly Case[] = [
  ...[removal, creation, links, symlinks, markLike].flat(),
];
