// Rows about names: directories moved and removed, whiteouts of every form, long paths, odd files.

import { errno, isFsError } from "../../src/errors.js";
import type { ByteString } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { type Place, raw, withUmask } from "../conformance/place.js";
import { faults, orErrno, type Row, yesNo } from "./row.js";

const moving: Row[] = [
  {
    name: "rename of a lower directory",
    right: "ok",
    rightInNamespace: "ok",
    prepare({ base }) {
      base.mkdir("d");
      base.mkdir("d/sub");
      base.write("d/sub/file", "deep");
    },
    ask({ mounted }) {
      return orErrno(() => {
        mounted.rename("d", "moved");
        return hasMoved(mounted);
      });
    },
    askAgain: ({ mounted }) => orErrno(() => hasMoved(mounted)),
  },
  {
    name: "rm -r of a lower directory, then mkdir",
    right: "ok",
    rightInNamespace: "ok",
    prepare({ base }) {
      base.mkdir("d");
      base.write("d/old", "old");
    },
    ask({ mounted }) {
      mounted.unlink("d/old");
      mounted.rmdir("d");
      mounted.mkdir("d");
      return mounted.names("d").length === 0 ? "ok" : "old files come back";
    },
    askAgain: ({ mounted }) => (mounted.names("d").length === 0 ? "ok" : "old files come back"),
  },
  {
    name: "RENAME_EXCHANGE, RENAME_NOREPLACE",
    right: "ok",
    rightInNamespace: "ok",
    prepare({ base }) {
      base.write("file", "file");
      base.mkdir("d");
      base.write("d/inner", "inner");
    },
    ask({ mounted }) {
      return faults({
        exchange: () => {
          mounted.rename("file", "d", sys.RENAME_EXCHANGE);
          return mounted.read("d") === "file" && mounted.read("file/inner") === "inner";
        },
        noreplace: () => {
          try {
            mounted.rename("d", "file", sys.RENAME_NOREPLACE);
          } catch (error) {
            return isFsError(error, errno.EEXIST);
          }
          return false;
        },
      });
    },
  },
];

function hasMoved(mounted: Place): string {
  if (mounted.exists("d")) return "both names";
  return mounted.read("moved/sub/file") === "deep" ? "ok" : "content lost";
}

/** Marks files as overlay's in the form that the mount may read: trusted.* as root, else user.*. */
function mark(place: Place, name: string, what: string, value: string): void {
  try {
    place.setxattr(name, `trusted.overlay.${what}`, value);
  } catch (error) {
    if (!isFsError(error, errno.EPERM)) throw error;
    place.setxattr(name, `user.overlay.${what}`, value);
  }
}

/** Per name: is it hidden? */
function hidden(mounted: Place, ...names: readonly string[]): string {
  return names.map((name) => yesNo(!mounted.exists(name))).join(", ");
}

const whiteouts: Row[] = [
  {
    name: "whiteouts read: device 0:0, .wh. name, xattr",
    right: "yes, yes, yes",
    rightInNamespace: "yes, yes, yes",
    layered: true,
    prepare({ base, top }) {
      for (const name of ["device", "name", "x", "x/attribute"]) {
        if (name === "x") base.mkdir(name);
        else base.write(name, "must not be seen");
      }
      top.mknod("device", sys.S_IFCHR);
      top.write(".wh.name", "");
      top.mkdir("x");
      mark(top, "x", "opaque", "x");
      top.write("x/attribute", "");
      mark(top, "x/attribute", "whiteout", "");
    },
    ask: ({ mounted }) => hidden(mounted, "device", "name", "x/attribute"),
  },
  {
    name: "whiteouts in a middle layer: device 0:0, .wh. name",
    right: "yes, yes",
    rightInNamespace: "yes, yes",
    layered: true,
    prepare({ base, middle, top }) {
      for (const name of ["device", "name"]) base.write(name, "must not be seen");
      middle.mknod("device", sys.S_IFCHR);
      middle.write(".wh.name", "");
      top.write("other", "");
    },
    ask: ({ mounted }) => hidden(mounted, "device", "name"),
  },
  {
    name: "opaque directories read: xattr, .wh..wh..opq",
    right: "yes, yes",
    rightInNamespace: "yes, yes",
    layered: true,
    prepare({ base, middle, top }) {
      for (const name of ["xattr", "file"]) {
        for (const layer of [base, middle, top]) layer.mkdir(name);
        base.write(`${name}/old`, "must not be seen");
        top.write(`${name}/new`, "new");
      }
      mark(middle, "xattr", "opaque", "y");
      middle.write("file/.wh..wh..opq", "");
    },
    ask({ mounted }) {
      const names = ["xattr", "file"].map((name) => mounted.names(name).join());
      return names.map((listed) => yesNo(listed === "new")).join(", ");
    },
  },
];

const PATH_BYTES = 4095;

function longPath(): string {
  const part = "d".repeat(200);
  let path = part;
  while (path.length + part.length + 2 < PATH_BYTES) path += `/${part}`;
  return `${path}/${"f".repeat(PATH_BYTES - path.length - 1)}`;
}

const odd: Row[] = [
  {
    name: "names that are not UTF-8, ns times, sockets, 255-byte names",
    right: "ok",
    rightInNamespace: "ok",
    prepare({ base }) {
      base.write("\xff\xfe", "raw");
      base.write("times", "");
      base.mknod("socket", sys.S_IFSOCK | 0o600);
      base.write("n".repeat(255), "long");
    },
    ask({ mounted }) {
      return faults({
        "raw name": () =>
          mounted.names().includes("\xff\xfe") && mounted.read("\xff\xfe") === "raw",
        "ns times": () => {
          const times = { atimeSec: 1, atimeNsec: 2, mtimeSec: -3, mtimeNsec: 123_456_789 };
          mounted.utimes("times", times);
          const { mtimeSec, mtimeNsec } = mounted.stat("times");
          return mtimeSec === -3 && mtimeNsec === 123_456_789;
        },
        socket: () => sys.S_IFSOCK === (mounted.stat("socket").mode & sys.S_IFMT),
        "new socket": () => {
          mounted.mknod("new", sys.S_IFSOCK | 0o600);
          return sys.S_IFSOCK === (mounted.stat("new").mode & sys.S_IFMT);
        },
        "long name": () => mounted.read("n".repeat(255)) === "long",
      });
    },
  },
  {
    name: "modes under umask 027, and in a setgid directory the group",
    right: "ok",
    rightInNamespace: "ok",
    prepare({ base }) {
      base.mkdir("d");
      base.chmod("d", 0o2775);
    },
    ask({ mounted }) {
      return withUmask(0o027, () => {
        mounted.close(mounted.open("d/file", sys.O_CREAT | sys.O_WRONLY, 0o666));
        mounted.mkdir("d/sub", 0o777);
        mounted.mknod("d/fifo", sys.S_IFIFO | 0o666);
        return faults({
          file: () => mounted.mode("d/file") === 0o640,
          directory: () => mounted.mode("d/sub") === 0o2750,
          fifo: () => mounted.mode("d/fifo") === 0o640,
        });
      });
    },
  },
  {
    name: "device node usable",
    right: "ok",
    prepare: ({ base }) => orErrno(() => String(base.mknod("null", sys.S_IFCHR | 0o666, 1, 3))),
    ask({ mounted }) {
      return orErrno(() => {
        mounted.write("null", "swallowed", 0);
        return mounted.read("null") === "" ? "ok" : "a file";
      });
    },
  },
];

/** Asked last: a union that died of it answers nothing more. */
export const longPathRow: Row = {
  name: "a path of 4,095 bytes",
  right: "ok",
  rightInNamespace: "ok",
  prepare: ({ base }) => base.write("file", ""),
  ask({ mounted }) {
    return orErrno(() => {
      const start = mounted.open("", sys.O_RDONLY | sys.O_DIRECTORY);
      const path = longPath();
      let fd = start;
      for (const part of path.split("/").slice(0, -1)) {
        sys.mkdirAt(fd, raw(part), 0o755);
        fd = mounted.adopt(sys.openAt(fd, raw(part), sys.O_PATH | sys.O_DIRECTORY));
      }
      const file = path as ByteString;
      mounted.adopt(sys.openAt(start, file, sys.O_CREAT | sys.O_RDWR, 0o644));
      return sys.statAt(start, file).sizeBytes === 0 ? "ok" : "wrong";
    });
  },
};

export const nameRows: readonly Row[] = [...moving, ...whiteouts, ...odd];
