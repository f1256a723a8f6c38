// Cases of chmod, chown, utimensat, stat and statfs; what they leave alone; inode numbers.

import { errno } from "../../src/errors.js";
import * as sys from "../../src/sys/index.js";
import { type Case, define, fails, same } from "./case.js";
import { FIXTURE_TIMES, LARGE_BYTES, LONG_NAME, pattern, RAW_NAME, USER } from "./fixture.js";
import type { Place } from "./place.js";

const { ENOENT, ENOTDIR, EOPNOTSUPP } = errno;

const FILES = ["file", "topfile", "large", "sparse", "fifo", "socket", "null", RAW_NAME, LONG_NAME];
const DIRECTORIES = [
  "empty",
  "directory",
  "opaque",
  "covered",
  "lower",
  "hollow",
  "directory/mixed",
];
const LINKS = ["symlink", "dangling", "dirlink", "loop"];
const NO_LINKS = [...FILES, ...DIRECTORIES];

function title(name: string): string {
  if (name === RAW_NAME) return "a name that is not UTF-8";
  return name === LONG_NAME ? "a name of 255 bytes" : name;
}

function content(place: Place, name: string): unknown {
  const { mode } = place.stat(name);
  if (sys.isRegular(mode)) return place.read(name);
  return sys.isDirectory(mode) ? place.names(name) : undefined;
}

const TIMES: sys.Times = {
  atimeSec: 1_234_567_890,
  atimeNsec: 1,
  mtimeSec: 987_654_321,
  mtimeNsec: 999_999_999,
};

const changes: Case[] = [
  ...NO_LINKS.map((name) =>
    define(`chmod: of ${title(name)} changes the mode and ctime only`, (place) => {
      const before = place.identity(name);
      const held = content(place, name);
      place.chmod(name, 0o1751);
      same(place.identity(name), { ...before, mode: (before.mode & sys.S_IFMT) | 0o1751 });
      same(content(place, name), held);
    }),
  ),
  ...[...NO_LINKS, ...LINKS].map((name) =>
    define(`chown: of ${title(name)} changes owner and ctime only`, (place) => {
      const before = place.identity(name);
      place.chown(name, 4_000_000_000, 123_456);
      same(place.identity(name), { ...before, uid: 4_000_000_000, gid: 123_456 });
      place.chown(name, -1, 5);
      same(place.identity(name), { ...before, uid: 4_000_000_000, gid: 5 });
    }),
  ),
  ...[...NO_LINKS, ...LINKS].map((name) =>
    define(`utimensat: of ${title(name)} to the nanosecond`, (place) => {
      const { ino } = place.stat(name);
      place.utimes(name, TIMES);
      const stat = place.stat(name);
      const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = stat;
      same({ atimeSec, atimeNsec, mtimeSec, mtimeNsec }, TIMES);
      same(stat.ino, ino);
    }),
  ),
  ...LINKS.map((name) =>
    define(`chmod: of the symlink ${name} itself is EOPNOTSUPP`, (place) => {
      fails(() => place.chmod(name, 0o600), EOPNOTSUPP);
    }),
  ),
  define("chmod, chown, utimensat: of nothing is ENOENT, below a file ENOTDIR", (place) => {
    for (const [name, number] of [
      ["missing", ENOENT],
      ["gone", ENOENT],
      ["file/x", ENOTDIR],
    ] as const) {
      fails(() => place.chmod(name, 0o600), number);
      fails(() => place.chown(name, 1, 1), number);
      fails(() => place.utimes(name, TIMES), number);
      fails(() => place.stat(name), number);
    }
  }),
  define("utimensat: UTIME_OMIT keeps, UTIME_NOW sets the present", (place) => {
    place.utimes("file", { ...TIMES, atimeNsec: sys.UTIME_OMIT });
    const first = place.stat("file");
    same([first.atimeSec, first.atimeNsec], [FIXTURE_TIMES.atimeSec, FIXTURE_TIMES.atimeNsec]);
    place.utimes("file", { ...TIMES, mtimeNsec: sys.UTIME_NOW, atimeNsec: sys.UTIME_OMIT });
    const age = Date.now() / 1000 - place.stat("file").mtimeSec;
    same(age > -5 && age < 60, true);
  }),
  define("utimensat: times before 1970 and after 2038", (place) => {
    for (const seconds of [-1, -1_000_000_000, 4_000_000_000, 10_000_000_000]) {
      place.utimes("file", { atimeSec: seconds, atimeNsec: 5, mtimeSec: seconds, mtimeNsec: 7 });
      const stat = place.stat("file");
      same([stat.atimeSec, stat.atimeNsec], [seconds, 5]);
      same([stat.mtimeSec, stat.mtimeNsec], [seconds, 7]);
    }
  }),
  define("fchmod, fchown, futimens: through a read-only descriptor", (place) => {
    const fd = place.open("file", sys.O_RDONLY);
    sys.fchmod(fd, 0o640);
    sys.fchown(fd, 11, 12);
    sys.futimens(fd, TIMES);
    const stat = sys.statFd(fd);
    same([stat.mode & 0o7777, stat.uid, stat.gid], [0o640, 11, 12]);
    same([stat.mtimeSec, stat.mtimeNsec], [TIMES.mtimeSec, TIMES.mtimeNsec]);
    same(place.identity("file").mode, stat.mode);
    same(place.read("file"), "content of file\n");
  }),
  define("ctime: moves with every change of metadata", (place) => {
    let last = 0n;
    function moved(what: string): void {
      const { ctimeSec, ctimeNsec } = place.stat("file");
      const now = BigInt(ctimeSec) * 1_000_000_000n + BigInt(ctimeNsec);
      same(now > last, true, what);
      last = now;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
    moved("at first");
    place.chmod("file", 0o600);
    moved("chmod");
    place.chown("file", 1, 1);
    moved("chown");
    place.link("file", "second");
    moved("link");
    place.rename("second", "third");
    place.setxattr("file", "user.x", "1");
    moved("setxattr");
    place.write("file", "x", 0);
    moved("write");
  }),
];

const invisible: Case[] = [
  define("stat: everything of the fixture is as it was made", (place) => {
    const { mtimeSec, mtimeNsec } = FIXTURE_TIMES;
    for (const name of [...NO_LINKS, ...LINKS]) {
      const stat = place.stat(name);
      same([stat.mtimeSec, stat.mtimeNsec], [mtimeSec, mtimeNsec], title(name));
    }
    same([place.stat("file").uid, place.stat("file").gid], [USER, USER]);
    same(place.stat("large").sizeBytes, LARGE_BYTES);
    same(place.read("large"), pattern(LARGE_BYTES));
    same(place.mode("setuid"), 0o6755);
    same(place.mode("sticky"), 0o1777);
    same(place.mode("setgid"), 0o2775);
  }),
  define("copy-up: opening for writing changes nothing that can be seen", (place) => {
    for (const name of ["file", "large", "sparse", "setuid", "attributes", "lower/two/three"]) {
      const before = place.identity(name);
      const attributes = place.xattrs(name);
      place.open(name, sys.O_RDWR);
      same(place.identity(name), before, name);
      same(place.xattrs(name), attributes, name);
    }
  }),
  define("copy-up: the directories above keep their times, modes and owners", (place) => {
    const names = ["lower", "lower/two", "private", "setgid", "directory", "directory/mixed"];
    const before = names.map((name) => place.identity(name));
    for (const name of ["lower/two/three", "private/secret", "directory/mixed/x", "directory/a"]) {
      place.chmod(name, 0o640);
    }
    same(
      names.map((name) => place.identity(name)),
      before,
    );
  }),
  define("copy-up: xattrs and content of a file stay with it", (place) => {
    place.chmod("attributes", 0o600);
    same(place.getxattr("attributes", "user.text"), "hello");
    same(place.getxattr("attributes", "user.none"), "");
    same(place.getxattr("attributes", "trusted.root"), "for root");
    same(place.getxattr("attributes", "security.label"), "label");
    same(place.read("attributes"), "with attributes\n");
  }),
  define("copy-up: a sparse file stays sparse", (place) => {
    place.write("sparse", "x", 0);
    same(place.stat("sparse").blocks < 256, true, `${place.stat("sparse").blocks} blocks`);
    same(place.read("sparse").length, 1_048_576);
    same(place.read("sparse").slice(524_288, 524_292), "data");
  }),
  define("st_ino: differs between files, and d_ino is the same number", (place) => {
    const seen = new Map<bigint, string>();
    for (const directory of ["", "directory", "lower", "opaque", "covered"]) {
      for (const dirent of place.dirents(directory)) {
        const path = directory === "" ? dirent.name : `${directory}/${dirent.name}`;
        const { ino, mode } = place.stat(path);
        same(dirent.ino, ino, path);
        same(dirent.type === sys.DT_UNKNOWN || dirent.type === sys.direntType(mode), true, path);
        if (!/links-/.test(path)) same(seen.get(ino), undefined, path);
        seen.set(ino, path);
      }
    }
  }),
  define("st_ino: stays over copy-up, rename and link", (place) => {
    for (const name of ["file", "large", "directory", "fifo", "symlink", "lower/two/three"]) {
      const { ino } = place.stat(name);
      place.chown(name, 9, 9);
      same(place.stat(name).ino, ino);
      place.rename(name, "elsewhere");
      same(place.stat("elsewhere").ino, ino);
      same(place.dirents().find((dirent) => dirent.name === "elsewhere")?.ino, ino);
      place.rename("elsewhere", name);
    }
  }),
  define("st_dev: is one number over the whole tree", (place) => {
    const { dev } = place.stat("");
    for (const name of [...NO_LINKS, ...LINKS]) same(place.stat(name).dev, dev, title(name));
    place.write("file", "x");
    same(place.stat("file").dev, dev);
  }),
  define("statfs: says how long names may be, and that there is room", (place) => {
    const statfs = sys.statfsFd(place.open(""));
    same(statfs.namelen, 255);
    same(statfs.blocks > 0n && statfs.bavail <= statfs.bfree, true);
    same(statfs.bfree <= statfs.blocks, true);
  }),
  define("program: a script of the lower layer runs, also after chmod", (place) => {
    place.script("sh", "./program; [ $? = 7 ]");
    place.chmod("program", 0o700);
    place.script("sh", "./program; [ $? = 7 ]");
    place.chmod("program", 0o600);
    place.script("sh", "./program 2>/dev/null; [ $? = 126 ]");
  }),
];

export const metadataCases: readonly Case[] = [...changes, ...invisible];
