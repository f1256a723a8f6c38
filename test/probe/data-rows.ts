// Rows about content: what open files see, what copy-up costs, holes, unlinked files.

import type { ByteString } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { type Place, readAt, writeAt } from "../conformance/place.js";
import { type Asked, diskBytes, faults, orErrno, python, type Row, yesNo } from "./row.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const BIG_BYTES = 256 * MIB;
const SPARSE_BYTES = 64 * MIB;
const SPARSE_DATA_AT = 32 * MIB;

function fill(place: Place, name: string, sizeBytes: number): void {
  const fd = place.open(name, sys.O_CREAT | sys.O_WRONLY, 0o644);
  const chunk = Buffer.alloc(Math.min(sizeBytes, MIB), "x");
  for (let at = 0; at < sizeBytes; at += chunk.length) {
    sys.pwriteFull(fd, chunk, 0, chunk.length, at);
  }
  place.close(fd);
}

function fillSparse(place: Place): void {
  const fd = place.open("sparse", sys.O_CREAT | sys.O_WRONLY, 0o644);
  writeAt(fd, "d".repeat(4 * KIB), SPARSE_DATA_AT);
  sys.ftruncate(fd, SPARSE_BYTES);
  place.close(fd);
}

/** Descriptor and mapping of a lower file, both from before another one writes to it. */
const OLD_DESCRIPTOR = `
import mmap, os
old = os.open("file", os.O_RDONLY)
seen = mmap.mmap(old, 4096, mmap.MAP_SHARED, mmap.PROT_READ)
before = os.pread(old, 3, 0), seen[0:3]
new = os.open("file", os.O_WRONLY)
os.pwrite(new, b"new", 0)
word = lambda now: "yes" if now == b"new" else "no"
print(word(os.pread(old, 3, 0)) + ", " + word(seen[0:3]))
`;

function oldDescriptor(size: string, sizeBytes: number): Row {
  return {
    name: `old read-only descriptor sees a later write, its mapping does (${size})`,
    right: "yes, yes",
    rightInNamespace: "yes, yes",
    prepare: ({ base }) => fill(base, "file", sizeBytes),
    ask: ({ mounted }) => python(mounted, OLD_DESCRIPTOR),
  };
}

/** What lies on the disk once nobody adds to it: unions may still be filling in an earlier file. */
function quietDiskBytes(folder: string): number {
  let bytes = diskBytes(folder);
  for (let rounds = 0; rounds < QUIET_ROUNDS; rounds++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, QUIET_MS);
    const later = diskBytes(folder);
    if (later === bytes) break;
    bytes = later;
  }
  return bytes;
}

/** "nothing" below a hundredth of the whole: metadata and directories. */
function grown(asked: Asked, wholeBytes: number, action: () => void): string {
  const before = quietDiskBytes(asked.storage);
  action();
  const bytes = diskBytes(asked.storage) - before;
  if (bytes < wholeBytes / 100) return "nothing";
  return bytes < wholeBytes ? `${Math.round(bytes / MIB)} MiB` : "all";
}

const QUIET_MS = 250;
const QUIET_ROUNDS = 120;

const copying: Row[] = [
  {
    name: "chmod of a 256 MiB lower file copies",
    right: "nothing",
    rightInNamespace: "nothing",
    prepare: ({ base }) => fill(base, "big", BIG_BYTES),
    ask(asked) {
      return grown(asked, BIG_BYTES, () => asked.mounted.chmod("big", 0o600));
    },
    askAgain({ mounted }) {
      const fd = mounted.open("big");
      const same = mounted.mode("big") === 0o600 && readAt(fd, BIG_BYTES - 2, 9) === "xx";
      return same ? "nothing" : "the file";
    },
  },
  {
    name: "copy-up of a sparse 64 MiB file with 4 KiB of data copies",
    right: "its data",
    rightInNamespace: "its data",
    prepare: ({ base }) => fillSparse(base),
    ask(asked) {
      const answer = grown(asked, SPARSE_BYTES, () => {
        const fd = asked.mounted.open("sparse", sys.O_RDWR);
        writeAt(fd, "x", 0);
        sys.fsync(fd);
        asked.mounted.close(fd);
      });
      return answer === "nothing" || answer === "1 MiB" ? "its data" : answer;
    },
  },
  {
    name: "a write while another holds the lower file open",
    right: "shown, layer untouched",
    rightInNamespace: "shown, layer untouched",
    layered: true,
    prepare: ({ base }) => fill(base, "file", MIB),
    ask({ mounted, base }) {
      const reader = mounted.open("file");
      readAt(reader, 0, 100);
      const writer = mounted.open("file", sys.O_WRONLY);
      writeAt(writer, "new", 0);
      mounted.close(writer);
      return whereItLanded(mounted, base);
    },
    askAgain: ({ mounted, base }) => whereItLanded(mounted, base),
  },
];

function whereItLanded(mounted: Place, base: Place): string {
  const shown = mounted.read("file").startsWith("new") ? "shown" : "lost";
  const layer = base.read("file").startsWith("xxx") ? "untouched" : "written to";
  return `${shown}, layer ${layer}`;
}

const openFiles: Row[] = [
  {
    name: "O_TMPFILE, and linked",
    right: "ok",
    rightInNamespace: "ok",
    prepare: ({ base }) => base.mkdir("d"),
    ask({ mounted }) {
      return orErrno(() => {
        const fd = mounted.open("d", sys.O_TMPFILE | sys.O_RDWR, 0o600);
        writeAt(fd, "tmp", 0);
        if (mounted.names("d").length > 0) return "has a name";
        sys.linkFd(fd, sys.AT_FDCWD, mounted.at("d/named"));
        return mounted.read("d/named") === "tmp" ? "ok" : "lost";
      });
    },
    askAgain: ({ mounted }) => orErrno(() => (mounted.read("d/named") === "tmp" ? "ok" : "lost")),
  },
  {
    name: "SEEK_DATA, SEEK_HOLE on a lower file",
    right: "right",
    rightInNamespace: "right",
    prepare: ({ base }) => fillSparse(base),
    ask({ mounted }) {
      return orErrno(() => {
        const fd = mounted.open("sparse");
        const data = sys.lseek(fd, 0, sys.SEEK_DATA);
        if (data === 0) return "no holes";
        const hole = sys.lseek(fd, SPARSE_DATA_AT, sys.SEEK_HOLE);
        const right = data === SPARSE_DATA_AT && hole === SPARSE_DATA_AT + 4 * KIB;
        return right ? "right" : "wrong";
      });
    },
  },
  {
    name: "unlinked but open: fstat, ftruncate, fchmod, write; what is left",
    right: "ok",
    rightInNamespace: "ok",
    prepare({ base }) {
      base.mkdir("d");
      base.write("d/file", "content");
    },
    ask({ mounted }) {
      const fd = mounted.open("d/file", sys.O_RDWR);
      mounted.unlink("d/file");
      return faults({
        fstat: () => sys.statFd(fd).nlink === 0,
        ftruncate: () => {
          sys.ftruncate(fd, 3);
          return sys.statFd(fd).sizeBytes === 3;
        },
        fchmod: () => {
          sys.fchmod(fd, 0o604);
          return (sys.statFd(fd).mode & 0o777) === 0o604;
        },
        write: () => {
          writeAt(fd, "X", 0);
          return readAt(fd, 0, 9) === "Xon";
        },
        litter: () => mounted.names("d").length === 0,
      });
    },
  },
  {
    name: "POSIX ACL and xattrs of a lower file, after a write too",
    right: "user, trusted, security, ACL",
    rightInNamespace: "user, ACL",
    prepare({ base }) {
      base.write("file", "content");
      for (const [, name, value] of ATTRIBUTES) orErrno(() => setAttribute(base, name, value));
    },
    ask({ mounted }) {
      mounted.write("file", "changed");
      const kept = ATTRIBUTES.filter(([, name, value]) => {
        const lower = orErrno(() => mounted.getxattr("file", name) ?? "");
        const again = orErrno(() => setAttribute(mounted, name, value));
        return lower === value && again === "";
      });
      return kept.length === 0 ? "none" : kept.map(([title]) => title).join(", ");
    },
  },
];

/** user::rw-, user:1000:r--, group::r--, mask::r--, other::r--. */
const ACL =
  "\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\x00\0\0\0" +
  "\x04\0\x04\0\xff\xff\xff\xff\x10\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff";

const ATTRIBUTES: readonly (readonly [title: string, name: string, value: string])[] = [
  ["user", "user.x", "\0binary\xff"],
  ["trusted", "trusted.x", "\0binary\xff"],
  ["security", "security.x", "\0binary\xff"],
  ["ACL", "system.posix_acl_access", ACL],
];

function setAttribute(place: Place, name: string, value: string): "" {
  const bytes = Buffer.from(value, "latin1");
  sys.setxattrAt(sys.AT_FDCWD, place.at("file"), name as ByteString, bytes);
  return "";
}

const linked: Row[] = [
  {
    name: "hard link kept over copy-up",
    right: "kept",
    rightInNamespace: "kept",
    prepare({ base }) {
      base.write("a", "linked");
      base.link("a", "b");
    },
    ask({ mounted }) {
      mounted.write("a", "LINKED", 0);
      return howLinked(mounted);
    },
    askAgain: ({ mounted }) => howLinked(mounted),
  },
  {
    name: "st_ino stays over copy-up and remount, and is d_ino",
    right: "yes, yes",
    rightInNamespace: "yes, yes",
    prepare: ({ base }) => base.write("file", "content"),
    ask({ mounted, notes }) {
      const before = mounted.stat("file").ino;
      notes.set("ino", String(before));
      mounted.write("file", "CONTENT", 0);
      return stays(mounted, before);
    },
    askAgain: ({ mounted, notes }) => stays(mounted, BigInt(notes.get("ino") ?? 0)),
  },
];

function stays(mounted: Place, before: bigint): string {
  const now = mounted.stat("file").ino;
  const listed = mounted.dirents().find(({ name }) => name === "file")?.ino;
  return `${yesNo(now === before)}, ${yesNo(listed === now)}`;
}

function howLinked(mounted: Place): string {
  const [a, b] = [mounted.stat("a"), mounted.stat("b")];
  const one = a.ino === b.ino && a.nlink === 2 && b.nlink === 2;
  return one && mounted.read("b") === "LINKED" ? "kept" : "broken";
}

export const dataRows: readonly Row[] = [
  ...linked,
  oldDescriptor("4 KiB", 4 * KIB),
  oldDescriptor("1 MiB", MIB),
  ...copying,
  ...openFiles,
];
