// Cases of who may do what: other users, sticky and setgid directories, set-uid bits, umask.

import { errno } from "../../src/errors.js";
import * as sys from "../../src/sys/index.js";
import { type Case, define, fails, same } from "./case.js";
import { OTHER, USER } from "./fixture.js";
import { asUser, withUmask, writeAt } from "./place.js";

const { EACCES, EPERM } = errno;

const others: Case[] = [
  define("permission: another user does not write what is root's", (place) => {
    asUser(USER, USER, () => {
      fails(() => place.open("topfile", sys.O_WRONLY), EACCES);
      fails(() => place.open("readonly", sys.O_RDWR), EACCES);
      fails(() => place.write("directory/new", ""), EACCES);
      fails(() => place.mkdir("lower/new"), EACCES);
      fails(() => place.unlink("directory/a"), EACCES);
      fails(() => place.rmdir("empty"), EACCES);
      fails(() => place.rename("topfile", "x"), EACCES);
      fails(() => place.link("file", "directory/x"), EACCES);
      fails(() => place.symlink("x", "opaque/x"), EACCES);
    });
  }),
  define("permission: another user does not see into a private directory", (place) => {
    asUser(USER, USER, () => {
      fails(() => place.names("private"), EACCES);
      fails(() => place.stat("private/secret"), EACCES);
      fails(() => place.read("private/secret"), EACCES);
      fails(() => place.stat("private/missing"), EACCES);
    });
    same(place.read("private/secret"), "secret\n");
  }),
  define("permission: another user reads what is readable", (place) => {
    asUser(USER, USER, () => {
      same(place.read("topfile"), "from the top\n");
      same(place.read("directory/mixed/x"), "x\n");
      same(place.names("opaque"), ["new"]);
    });
  }),
  define("permission: the owner writes, also after a copy-up by root", (place) => {
    asUser(USER, USER, () => place.write("file", "by its owner", sys.O_TRUNC));
    same(place.read("file"), "by its owner");
    place.chmod("file", 0o400);
    asUser(USER, USER, () => fails(() => place.open("file", sys.O_WRONLY), EACCES));
  }),
  define("permission: root writes a read-only file", (place) => {
    place.write("readonly", "by root", 0);
    same(place.read("readonly").startsWith("by root"), true);
    same(place.mode("readonly"), 0o444);
  }),
  define("permission: x on a directory without r: names are found but not listed", (place) => {
    place.chmod("directory", 0o711);
    asUser(USER, USER, () => {
      same(place.read("directory/a"), "a\n");
      fails(() => place.names("directory"), EACCES);
    });
  }),
  define("permission: r on a directory without x: names are listed but not found", (place) => {
    place.chmod("directory", 0o744);
    asUser(USER, USER, () => {
      same(place.names("directory").length, 6);
      fails(() => place.stat("directory/a"), EACCES);
    });
  }),
  define("permission: an open descriptor keeps its rights", (place) => {
    const fd = asUser(USER, USER, () => place.open("file", sys.O_RDWR));
    place.chown("file", 0, 0);
    place.chmod("file", 0);
    asUser(USER, USER, () => writeAt(fd, "still", 0));
    same(place.read("file"), "stillnt of file\n");
  }),
  define("permission: execution needs the x bit, for root too", (place) => {
    place.script("sh", "./readonly 2>/dev/null; [ $? = 126 ]");
    place.script("sh", "./program; [ $? = 7 ]");
  }),
  define("chmod: only the owner may", (place) => {
    asUser(OTHER, OTHER, () => fails(() => place.chmod("file", 0o777), EPERM));
    asUser(USER, USER, () => place.chmod("file", 0o600));
    same(place.mode("file"), 0o600);
  }),
  define("chown: nobody gives a file away; the group only to one's own", (place) => {
    asUser(USER, USER, () => {
      fails(() => place.chown("file", OTHER, -1), EPERM);
      fails(() => place.chown("file", -1, OTHER), EPERM);
      place.chown("file", -1, USER);
      place.chown("file", USER, -1);
    });
  }),
  define("utimensat: the owner sets any time, a writer only the present", (place) => {
    const now = { atimeSec: 0, atimeNsec: sys.UTIME_NOW, mtimeSec: 0, mtimeNsec: sys.UTIME_NOW };
    const then = { atimeSec: 1, atimeNsec: 1, mtimeSec: 1, mtimeNsec: 1 };
    place.chmod("file", 0o666);
    asUser(OTHER, OTHER, () => {
      fails(() => place.utimes("file", then), EPERM);
      place.utimes("file", now);
    });
    asUser(USER, USER, () => place.utimes("file", then));
    asUser(OTHER, OTHER, () => fails(() => place.utimes("readonly", now), EACCES));
  }),
  define("create: belongs to who creates it", (place) => {
    place.chmod("empty", 0o777);
    asUser(USER, OTHER, () => {
      place.write("empty/file", "x");
      place.mkdir("empty/directory");
      place.symlink("x", "empty/symlink");
      place.mknod("empty/fifo", sys.S_IFIFO | 0o600);
    });
    for (const name of place.names("empty")) {
      const { uid, gid } = place.stat(`empty/${name}`);
      same([uid, gid], [USER, OTHER], name);
    }
  }),
  define("mknod: a device is for root only", (place) => {
    place.chmod("empty", 0o777);
    asUser(USER, USER, () => {
      fails(() => place.mknod("empty/null", sys.S_IFCHR | 0o666, 1, 3), EPERM);
      place.mknod("empty/fifo", sys.S_IFIFO | 0o666);
    });
  }),
];

const sticky: Case[] = [
  define("sticky: another user neither removes nor renames", (place) => {
    asUser(OTHER, OTHER, () => {
      for (const name of ["sticky/of-root", "sticky/of-user"]) {
        fails(() => place.unlink(name), EPERM, EACCES);
        fails(() => place.rename(name, "sticky/x"), EPERM, EACCES);
      }
      place.write("sticky/mine", "");
      fails(() => place.rename("sticky/mine", "sticky/of-root"), EPERM, EACCES);
      place.unlink("sticky/mine");
    });
  }),
  define("sticky: the owner of a file removes and renames it", (place) => {
    asUser(USER, USER, () => {
      place.rename("sticky/of-user", "sticky/renamed");
      place.unlink("sticky/renamed");
      fails(() => place.unlink("sticky/of-root"), EPERM, EACCES);
    });
    same(place.names("sticky"), ["of-root"]);
  }),
  define("sticky: the owner of the directory removes what is in it", (place) => {
    place.chown("sticky", OTHER, OTHER);
    asUser(OTHER, OTHER, () => {
      place.unlink("sticky/of-root");
      place.unlink("sticky/of-user");
    });
    same(place.names("sticky"), []);
  }),
];

const bits: Case[] = [
  define("setgid: files and directories of the directory get its group", (place) => {
    place.write("setgid/file", "");
    place.mkdir("setgid/directory");
    place.mknod("setgid/fifo", sys.S_IFIFO | 0o600);
    place.symlink("x", "setgid/symlink");
    for (const name of place.names("setgid")) same(place.stat(`setgid/${name}`).gid, USER, name);
    same(place.mode("setgid/directory"), 0o2755);
    place.mkdir("setgid/directory/deeper");
    same(place.mode("setgid/directory/deeper"), 0o2755);
    same(place.mode("setgid/file"), 0o644);
  }),
  define("setgid: set on a merged directory, it holds for new files", (place) => {
    place.chown("directory", 0, OTHER);
    place.chmod("directory", 0o2755);
    place.write("directory/gone", "");
    place.write("directory/new", "");
    same(place.stat("directory/gone").gid, OTHER);
    same(place.stat("directory/new").gid, OTHER);
  }),
  define("setgid: a stranger to the group does not set the bit", (place) => {
    place.chown("file", USER, OTHER);
    asUser(USER, USER, () => place.chmod("file", 0o2755));
    same(place.mode("file"), 0o755);
  }),
  define("set-uid: a write by another user clears both bits", (place) => {
    place.chmod("setuid", 0o6777);
    asUser(OTHER, OTHER, () => place.write("setuid", "x", 0));
    same(place.mode("setuid"), 0o777);
  }),
  define("set-uid: truncate by another user clears both bits", (place) => {
    place.chmod("setuid", 0o6777);
    asUser(OTHER, OTHER, () => sys.ftruncate(place.open("setuid", sys.O_WRONLY), 0));
    same(place.mode("setuid"), 0o777);
    place.chmod("setuid", 0o6777);
    asUser(OTHER, OTHER, () => place.open("setuid", sys.O_WRONLY | sys.O_TRUNC));
    same(place.mode("setuid"), 0o777);
  }),
  define("set-uid: a write by root leaves the bits", (place) => {
    place.write("setuid", "x", 0);
    same(place.mode("setuid"), 0o6755);
  }),
  define("set-uid: chown clears both bits of a file, and none of a directory", (place) => {
    place.chown("setuid", 5, 5);
    same(place.mode("setuid"), 0o755);
    place.chmod("directory", 0o6755);
    place.chown("directory", 5, 5);
    same(place.mode("directory"), 0o6755);
  }),
  define("set-uid: a program runs with the rights of its owner", (place) => {
    place.script(
      "sh",
      "cp /usr/bin/id own-id && chown 1000:1000 own-id && chmod 6755 own-id && [ $(./own-id -u) = 1000 ]",
    );
  }),
  ...[0o000, 0o022, 0o027, 0o077, 0o777].map((mask) =>
    define(
      `umask: ${mask.toString(8).padStart(3, "0")} is applied to all that is made`,
      (place) => {
        withUmask(mask, () => {
          place.open("u-file", sys.O_CREAT | sys.O_WRONLY, 0o777);
          place.mkdir("u-directory", 0o777);
          place.mknod("u-fifo", sys.S_IFIFO | 0o777);
          place.open("gone", sys.O_CREAT | sys.O_WRONLY, 0o777);
          place.mkdir("directory/gone", 0o777);
        });
        for (const name of ["u-file", "u-directory", "u-fifo", "gone", "directory/gone"]) {
          same(place.mode(name), 0o777 & ~mask, name);
        }
      },
    ),
  ),
];

export const permissionCases: readonly Case[] = [...others, ...sticky, ...bits];
