// Cases of rename(2) and renameat2(2): anything over anything, and what stays of it.

import { errno } from "../../src/errors.js";
import * as sys from "../../src/sys/index.js";
import { type Case, define, fails, same } from "./case.js";
import { LONG_NAME, RAW_NAME } from "./fixture.js";
import type { Place } from "./place.js";

const { EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY } = errno;

const DIRECTORIES = ["empty", "hollow", "directory", "opaque", "covered", "lower", "lower/two"];
const OTHERS = ["file", "topfile", "large", "symlink", "fifo", "null", "links-a", RAW_NAME];

const TARGETS: readonly (readonly [string, "absent" | "file" | "empty" | "full"])[] = [
  ["missing", "absent"],
  ["gone", "absent"],
  ["opaque/old", "absent"],
  ["readonly", "file"],
  ["dangling", "file"],
  ["directory/a", "file"],
  ["directory/c", "file"],
  ["setgid", "empty"],
  ["directory/mixed", "full"],
  ["sticky", "full"],
];

function title(name: string): string {
  return name === RAW_NAME ? "a name that is not UTF-8" : name;
}

/** All that can be seen of a tree, by relative path: types, modes, inodes, content. */
function tree(place: Place, name: string): string[] {
  const { ino, mode, uid, gid } = place.stat(name);
  const self = `${ino} ${mode.toString(8)} ${uid} ${gid}`;
  if (sys.isDirectory(mode)) {
    const below = place
      .names(name)
      .flatMap((child) => tree(place, `${name}/${child}`).map((line) => `${child}/${line}`));
    return [self, ...below];
  }
  return [sys.isRegular(mode) ? `${self} ${place.read(name)}` : self];
}

function expected(isDirectory: boolean, target: string): readonly number[] {
  const kind = TARGETS.find(([name]) => name === target)?.[1];
  if (kind === "file") return isDirectory ? [ENOTDIR] : [];
  if (kind === "empty") return isDirectory ? [] : [EISDIR];
  if (kind === "full") return isDirectory ? [ENOTEMPTY, EEXIST] : [EISDIR];
  return [];
}

/** rename(2) into the own subtree, or over an ancestor, has its own cases below. */
function related(source: string, target: string): boolean {
  return target.startsWith(`${source}/`) || source.startsWith(`${target}/`);
}

const matrix: Case[] = [...DIRECTORIES, ...OTHERS].flatMap((source) =>
  TARGETS.filter(([target]) => !related(source, target)).map(([target, kind]) =>
    define(`rename: ${title(source)} to ${target} (${kind})`, (place) => {
      const before = tree(place, source);
      const errors = expected(DIRECTORIES.includes(source), target);
      if (errors.length > 0) {
        fails(() => place.rename(source, target), ...errors);
        same(tree(place, source), before);
        return;
      }
      place.rename(source, target);
      same(place.exists(source), false);
      same(tree(place, target), before);
      place.write(source, "new", sys.O_CREAT | sys.O_EXCL);
      same(tree(place, target), before);
    }),
  ),
);

const special: Case[] = [
  define("rename: into the own subtree is EINVAL", (place) => {
    fails(() => place.rename("directory", "directory/sub/x"), EINVAL);
    fails(() => place.rename("lower", "lower/x"), EINVAL);
  }),
  define("rename: over an own ancestor is ENOTEMPTY", (place) => {
    fails(() => place.rename("lower/two", "lower"), ENOTEMPTY, EEXIST);
    fails(() => place.rename("directory/sub", "directory"), ENOTEMPTY, EEXIST);
    fails(() => place.rename("directory/a", "directory"), ENOTEMPTY, EEXIST, EISDIR);
  }),
  define("rename: a missing or whited-out source is ENOENT", (place) => {
    fails(() => place.rename("missing", "x"), ENOENT);
    fails(() => place.rename("gone", "x"), ENOENT);
    fails(() => place.rename("directory/gone", "directory/a"), ENOENT);
    fails(() => place.rename("file", "missing/x"), ENOENT);
    fails(() => place.rename("file", "topfile/x"), ENOTDIR);
  }),
  define("rename: '.' is refused", (place) => {
    fails(() => place.rename("empty/.", "x"), EBUSY, EINVAL);
  }),
  define("rename: to itself changes nothing", (place) => {
    const before = place.identity("file");
    place.rename("file", "file");
    same(place.identity("file"), before);
    place.rename("directory", "directory");
    same(place.read("directory/mixed/x"), "x\n");
  }),
  define("rename: one name of an inode over another changes nothing", (place) => {
    place.rename("links-a", "links-b");
    same(place.exists("links-a"), true);
    same(place.stat("links-b").nlink, 3);
  }),
  define("rename: over one of several names lowers the count", (place) => {
    place.rename("file", "links-a");
    same(place.stat("links-b").nlink, 2);
    same(place.stat("directory/links-c").nlink, 2);
    same(place.read("links-a"), "content of file\n");
  }),
  define("rename: a long name and back", (place) => {
    place.rename(LONG_NAME, RAW_NAME);
    same(place.read(RAW_NAME), "long\n");
    place.rename(RAW_NAME, LONG_NAME);
    same(place.read(LONG_NAME), "long\n");
    same(place.exists(RAW_NAME), false);
  }),
  define("rename: a merged directory away and back keeps its tree", (place) => {
    const before = tree(place, "directory");
    place.rename("directory", "lower/moved");
    place.rename("lower/moved", "directory");
    same(tree(place, "directory"), before);
  }),
  define("rename: a directory renamed twice, its children changed in between", (place) => {
    place.rename("directory", "one");
    place.write("one/a", "changed\n");
    place.unlink("one/b");
    place.rename("one", "two");
    same(place.read("two/a"), "changed\n");
    same(place.names("two"), ["a", "c", "links-c", "mixed", "sub"]);
    same(place.read("two/mixed/x"), "x\n");
  }),
  define("rename: a child of a renamed directory, out of it and into another one", (place) => {
    place.rename("lower", "moved");
    place.rename("moved/two", "directory/two");
    same(place.read("directory/two/three"), "three\n");
    same(place.names("moved"), ["one"]);
    place.rename("directory", "again");
    same(place.read("again/two/three"), "three\n");
    same(place.read("again/mixed/y"), "y\n");
  }),
  define("rename: mkdir where a renamed directory was is empty", (place) => {
    place.rename("directory", "moved");
    place.mkdir("directory");
    same(place.names("directory"), []);
    same(place.read("moved/a"), "a\n");
    place.rmdir("directory");
    same(place.exists("directory"), false);
  }),
  define("rename: two directories change places by way of a third name", (place) => {
    place.rename("directory", "t");
    place.rename("lower", "directory");
    place.rename("t", "lower");
    same(place.names("directory"), ["one", "two"]);
    same(place.read("lower/mixed/y"), "y\n");
  }),
  define("rename: an open file goes with its name", (place) => {
    const fd = place.open("file", sys.O_RDWR);
    place.rename("file", "directory/moved");
    sys.pwriteFull(fd, Buffer.from("CONTENT"), 0, 7, 0);
    same(place.read("directory/moved"), "CONTENT of file\n");
    same(sys.statFd(fd).ino, place.stat("directory/moved").ino);
  }),
  define("rename: an open file that is replaced lives on", (place) => {
    const fd = place.open("file", sys.O_RDONLY);
    place.rename("topfile", "file");
    same(sys.statFd(fd).nlink, 0);
    same(sys.pread(fd, Buffer.alloc(7), 0, 7, 0), 7);
    same(place.read("file"), "from the top\n");
  }),
  define("rename: '..' of a moved directory is its new parent", (place) => {
    place.rename("lower/two", "directory/two");
    same(place.stat("directory/two/..").ino, place.stat("directory").ino);
    place.rename("directory", "opaque/directory");
    same(place.stat("opaque/directory/..").ino, place.stat("opaque").ino);
  }),
  define("rename: changes the times of both parents, and mtime of the file stays", (place) => {
    const { mtime } = place.identity("directory/a");
    place.rename("directory/a", "lower/a");
    same(place.identity("lower/a").mtime, mtime);
    for (const parent of ["directory", "lower"]) {
      same(place.stat(parent).mtimeSec > 1_700_000_000, true, parent);
    }
  }),
];

const NOREPLACE = sys.RENAME_NOREPLACE;
const EXCHANGE = sys.RENAME_EXCHANGE;

const flags: Case[] = [
  define("RENAME_NOREPLACE: over anything is EEXIST, over nothing works", (place) => {
    for (const target of ["topfile", "directory", "empty", "dangling", "hollow"]) {
      fails(() => place.rename("file", target, NOREPLACE), EEXIST);
    }
    place.rename("file", "gone", NOREPLACE);
    same(place.read("gone"), "content of file\n");
    place.rename("directory", "missing", NOREPLACE);
    same(place.read("missing/mixed/x"), "x\n");
  }),
  ...(
    [
      ["file", "topfile"],
      ["file", "directory"],
      ["directory", "lower"],
      ["directory/sub", "opaque"],
      ["empty", "symlink"],
      ["large", "directory/c"],
      ["lower/two/three", "links-a"],
    ] as const
  ).map(([one, two]) =>
    define(`RENAME_EXCHANGE: ${one} and ${two} change places`, (place) => {
      const [before, after] = [tree(place, one), tree(place, two)];
      place.rename(one, two, EXCHANGE);
      same(tree(place, two), before);
      same(tree(place, one), after);
      place.rename(one, two, EXCHANGE);
      same(tree(place, one), before);
      same(tree(place, two), after);
    }),
  ),
  define("RENAME_EXCHANGE: with nothing is ENOENT", (place) => {
    fails(() => place.rename("file", "missing", EXCHANGE), ENOENT);
    fails(() => place.rename("file", "gone", EXCHANGE), ENOENT);
    fails(() => place.rename("gone", "file", EXCHANGE), ENOENT);
  }),
  define("RENAME_EXCHANGE: with an own ancestor is EINVAL", (place) => {
    fails(() => place.rename("lower", "lower/two", EXCHANGE), EINVAL);
    fails(() => place.rename("lower/two", "lower", EXCHANGE), EINVAL);
  }),
  define(
    "RENAME_WHITEOUT: leaves a device 0:0 of the caller, whatever stood at the new name",
    (place) => {
      if (!sys.features().mknodDevices) return;
      for (const [from, to] of [
        ["file", "moved"],
        ["topfile", "gone"],
        ["lower/one", "large"],
        ["moved", "links-a"],
      ] as const) {
        const before = tree(place, from);
        place.rename(from, to, sys.RENAME_WHITEOUT);
        same(tree(place, to), before);
        const { mode, rdevMajor, rdevMinor, uid, nlink } = place.stat(from);
        same([mode, rdevMajor, rdevMinor, uid, nlink], [sys.S_IFCHR, 0, 0, 0, 1]);
        fails(() => place.rename(to, from, NOREPLACE), EEXIST);
        place.unlink(from);
        same(place.exists(from), false);
      }
    },
  ),
  define("RENAME_WHITEOUT: moves directories too, over nothing and over an empty one", (place) => {
    if (!sys.features().mknodDevices) return;
    for (const [from, to] of [
      ["directory", "moved"],
      ["moved", "gone"],
      ["lower", "hollow"],
    ] as const) {
      const before = tree(place, from);
      place.rename(from, to, sys.RENAME_WHITEOUT);
      same(tree(place, to), before);
      const { mode, rdevMinor } = place.stat(from);
      same([mode, rdevMinor], [sys.S_IFCHR, 0]);
    }
    fails(() => place.rename("hollow", "gone", EXCHANGE | sys.RENAME_WHITEOUT), EINVAL);
    fails(() => place.rename("hollow", "gone", NOREPLACE | sys.RENAME_WHITEOUT), EEXIST);
  }),
  define("RENAME_EXCHANGE: with RENAME_NOREPLACE is EINVAL", (place) => {
    fails(() => place.rename("file", "topfile", EXCHANGE | NOREPLACE), EINVAL);
  }),
];

export const renameCases: readonly Case[] = [...matrix, ...special, ...flags];
