// What every upper must do, whatever its kind: cases run on each by a test file of its own.
// A factory gives an empty upper, `reopen` what is there after a crash (no close before it).

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { errno, isFsError } from "../../src/errors.js";
import { type NewInode, type UpperLayer, WHITEOUT } from "../../src/layer/index.js";
import { type ByteString, bytesOf, type Name } from "../../src/path.js";
import {
  O_APPEND,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  SEEK_DATA,
  SEEK_HOLE,
  XATTR_CREATE,
  XATTR_REPLACE,
} from "../../src/sys/index.js";
import { contentOf, dumpLayer } from "./layer-dump.js";
import { bytes, DIRECTORY, FILE, named, writeFile } from "./upper-files.js";

/** One upper under test. */
export interface UpperSubject {
  readonly upper: UpperLayer;
  /** No mark can be set, where the file system keeps no xattrs: EXDEV. */
  readonly noRedirects?: boolean;
  /** The same tree, opened by another mount; the old one is not used any more. */
  reopen(): UpperLayer;
  dispose(): void;
}

function fails(number: number, act: () => unknown): void {
  throws(act, (error) => isFsError(error, number));
}

type Case = (upper: UpperLayer, subject: UpperSubject) => void;

const a = named("a");
const b = named("b");
const d = named("d");

const RENAME = { over: "absent", leaveWhiteout: false, exchange: false } as const;

const creating: Record<string, Case> = {
  "create: every type with its mode, under the umask": (upper) => {
    const types = ["file", "directory", "fifo", "socket"] as const;
    for (const type of types) {
      const node = upper.create(upper.root, named(type), { ...FILE, type, mode: 0o666 }, "absent");
      strictEqual(upper.stat(node).mode & 0o7777, 0o644, type);
    }
    upper.create(upper.root, a, { ...FILE, type: "symlink", target: bytesOf("/x") }, "absent");
    const link = upper.lookup(upper.root, a);
    ok(link !== undefined && link !== WHITEOUT);
    strictEqual(upper.readlink(link), "/x");
    strictEqual(link.stat.sizeBytes, 2);
  },
  "create: a name that is taken is EEXIST": (upper) => {
    upper.create(upper.root, a, FILE, "absent");
    fails(errno.EEXIST, () => upper.create(upper.root, a, FILE, "absent"));
    fails(errno.EEXIST, () => upper.create(upper.root, a, DIRECTORY, "absent"));
  },
  "create: over a whiteout, file and opaque directory": (upper) => {
    for (const inode of [FILE, { ...DIRECTORY, opaque: true }]) {
      const name = named(inode.type);
      upper.remove(upper.root, name, "absent", true);
      strictEqual(upper.lookup(upper.root, name), WHITEOUT);
      const node = upper.create(upper.root, name, inode, "whiteout");
      strictEqual(upper.lookup(upper.root, name), node);
      strictEqual(upper.marks(node).opaque, inode.type === "directory");
    }
  },
  "create: names of bytes that are no text": (upper, subject) => {
    const odd = "\xff\xfe\x01 \n" as Name;
    upper.create(upper.root, odd, DIRECTORY, "absent");
    const after = subject.reopen();
    strictEqual(after.readdir(after.root)[0]?.name, odd);
  },
  "create: names that an archive would misread are EPERM": (upper) => {
    const reserved = named(".wh.a");
    fails(errno.EPERM, () => upper.create(upper.root, reserved, FILE, "absent"));
    const node = upper.create(upper.root, a, FILE, "absent");
    fails(errno.EPERM, () => upper.link(node, upper.root, reserved, "absent"));
    fails(errno.EPERM, () => upper.rename(upper.root, a, upper.root, reserved, RENAME));
  },
  "create: a setgid directory hands down its group, in place and over a whiteout": (upper) => {
    const parent = upper.create(upper.root, d, DIRECTORY, "absent");
    upper.setattr(parent, { mode: 0o2775 });
    upper.remove(parent, b, "absent", true);
    const inPlace = upper.create(parent, a, DIRECTORY, "absent");
    const over = upper.create(parent, b, { ...DIRECTORY, opaque: true }, "whiteout");
    for (const node of [inPlace, over]) {
      strictEqual(upper.stat(node).mode & 0o7777, 0o2755);
      strictEqual(upper.stat(node).gid, upper.stat(parent).gid);
    }
  },
  "createUnnamed: has no name until it is linked": (upper) => {
    const { node, file } = upper.createUnnamed(upper.root, FILE, O_RDWR);
    file.write(bytes("hello"), 0, 5, 0);
    strictEqual(upper.stat(node).nlink, 0);
    deepStrictEqual(upper.readdir(upper.root), []);
    upper.link(node, upper.root, a, "absent");
    strictEqual(upper.stat(node).nlink, 1);
    strictEqual(contentOf(upper, node).toString(), "hello");
    file.close();
  },
};

const removing: Record<string, Case> = {
  "remove: leaves nothing or a whiteout": (upper) => {
    for (const leaveWhiteout of [false, true]) {
      writeFile(upper, upper.root, a, "x");
      upper.remove(upper.root, a, "file", leaveWhiteout);
      strictEqual(upper.lookup(upper.root, a), leaveWhiteout ? WHITEOUT : undefined);
      deepStrictEqual(
        upper.readdir(upper.root).map(({ name, whiteout }) => ({ name, whiteout })),
        leaveWhiteout ? [{ name: a, whiteout: true }] : [],
      );
    }
    upper.remove(upper.root, a, "whiteout", false);
    strictEqual(upper.lookup(upper.root, a), undefined);
  },
  "remove: a directory that holds only whiteouts": (upper) => {
    for (const leaveWhiteout of [false, true]) {
      const node = upper.create(upper.root, d, DIRECTORY, "absent");
      upper.remove(node, a, "absent", true);
      upper.remove(node, b, "absent", true);
      upper.remove(upper.root, d, "directory", leaveWhiteout);
      strictEqual(upper.lookup(upper.root, d), leaveWhiteout ? WHITEOUT : undefined);
    }
  },
  "remove: a directory that holds anything else is ENOTEMPTY and stays whole": (upper) => {
    const node = upper.create(upper.root, d, DIRECTORY, "absent");
    upper.remove(node, a, "absent", true);
    upper.create(node, b, FILE, "absent");
    const before = dumpLayer(upper);
    fails(errno.ENOTEMPTY, () => upper.remove(upper.root, d, "directory", true));
    fails(errno.ENOTEMPTY, () => upper.remove(upper.root, d, "directory", false, node));
    deepStrictEqual(dumpLayer(upper), before);
    upper.rename(upper.root, d, upper.root, a, RENAME);
    upper.remove(node, b, "file", false);
    upper.remove(upper.root, a, "directory", false, node);
  },
  "remove: the node of an unlinked file goes on working": (upper) => {
    const node = writeFile(upper, upper.root, a, "hello");
    upper.remove(upper.root, a, "file", true);
    strictEqual(upper.stat(node).nlink, 0);
    upper.setattr(node, { mode: 0o600, sizeBytes: 2 });
    upper.setxattr(node, bytesOf("user.x"), bytes("1"), 0);
    strictEqual(upper.stat(node).mode & 0o777, 0o600);
    strictEqual(contentOf(upper, node).toString(), "he");
    deepStrictEqual(upper.listxattr(node), ["user.x"]);
    upper.forget(node);
  },
  "remove: a file with other names goes on under them": (upper) => {
    const node = writeFile(upper, upper.root, a, "hello");
    upper.link(node, upper.root, b, "absent");
    strictEqual(upper.stat(node).nlink, 2);
    upper.remove(upper.root, a, "file", false);
    strictEqual(upper.stat(node).nlink, 1);
    strictEqual(upper.lookup(upper.root, b), node);
    upper.setattr(node, { sizeBytes: 1 });
    strictEqual(contentOf(upper, node).toString(), "h");
  },
  "remove: an unlinked directory has its attributes, and no names": (upper) => {
    const node = upper.create(upper.root, d, DIRECTORY, "absent");
    upper.remove(upper.root, d, "directory", false);
    strictEqual(upper.stat(node).mode & 0o777, 0o755);
    strictEqual(upper.lookup(node, a), undefined);
    fails(errno.ENOENT, () => upper.create(node, a, FILE, "absent"));
  },
};

const renaming: Record<string, Case> = {
  "rename: nodes below a moved directory go on meaning their files": (upper) => {
    const node = upper.create(upper.root, d, DIRECTORY, "absent");
    const file = writeFile(upper, node, a, "deep");
    upper.rename(upper.root, d, upper.root, b, RENAME);
    strictEqual(upper.lookup(upper.root, b), node);
    strictEqual(contentOf(upper, file).toString(), "deep");
    upper.rename(node, a, upper.root, a, RENAME);
    strictEqual(contentOf(upper, file).toString(), "deep");
    strictEqual(upper.lookup(upper.root, a), file);
  },
  "rename: leaves a whiteout in the same step": (upper) => {
    for (const inode of [FILE, DIRECTORY]) {
      const from = named(`${inode.type}-from`);
      const to = named(`${inode.type}-to`);
      upper.create(upper.root, from, inode, "absent");
      upper.rename(upper.root, from, upper.root, to, { ...RENAME, leaveWhiteout: true });
      strictEqual(upper.lookup(upper.root, from), WHITEOUT);
      ok(typeof upper.lookup(upper.root, to) === "object");
    }
  },
  "rename: over whiteouts, with and without leaving one": (upper) => {
    for (const inode of [FILE, DIRECTORY]) {
      for (const leaveWhiteout of [false, true]) {
        const from = named(`${inode.type}-${leaveWhiteout}`);
        const node = upper.create(upper.root, from, inode, "absent");
        upper.remove(upper.root, a, "absent", true);
        upper.rename(upper.root, from, upper.root, a, {
          ...RENAME,
          over: "whiteout",
          leaveWhiteout,
        });
        strictEqual(upper.lookup(upper.root, a), node);
        strictEqual(upper.lookup(upper.root, from), leaveWhiteout ? WHITEOUT : undefined);
        const over = inode.type === "file" ? "file" : "directory";
        upper.remove(upper.root, a, over, false);
      }
    }
  },
  "rename: over a directory that holds only whiteouts": (upper) => {
    const source = upper.create(upper.root, a, DIRECTORY, "absent");
    upper.create(source, b, FILE, "absent");
    const target = upper.create(upper.root, d, DIRECTORY, "absent");
    upper.remove(target, named("gone"), "absent", true);
    upper.rename(upper.root, a, upper.root, d, { ...RENAME, over: "directory" });
    strictEqual(upper.lookup(upper.root, d), source);
    deepStrictEqual(
      upper.readdir(source).map(({ name }) => name),
      [b],
    );
    strictEqual(upper.lookup(upper.root, a), undefined);
  },
  "rename: the replaced file's node goes on working": (upper) => {
    const old = writeFile(upper, upper.root, a, "old");
    writeFile(upper, upper.root, b, "new");
    upper.rename(upper.root, b, upper.root, a, { ...RENAME, over: "file" });
    strictEqual(contentOf(upper, old).toString(), "old");
    strictEqual(upper.stat(old).nlink, 0);
  },
  "rename: exchange swaps a file and a directory": (upper) => {
    const file = writeFile(upper, upper.root, a, "file");
    const node = upper.create(upper.root, d, DIRECTORY, "absent");
    const inner = writeFile(upper, node, b, "inner");
    upper.rename(upper.root, a, upper.root, d, { ...RENAME, exchange: true });
    strictEqual(upper.lookup(upper.root, a), node);
    strictEqual(upper.lookup(upper.root, d), file);
    strictEqual(contentOf(upper, inner).toString(), "inner");
    strictEqual(contentOf(upper, file).toString(), "file");
  },
  "rename: over a name that is taken, said to be absent, is EEXIST": (upper) => {
    writeFile(upper, upper.root, a, "1");
    writeFile(upper, upper.root, b, "2");
    fails(errno.EEXIST, () => upper.rename(upper.root, a, upper.root, b, RENAME));
  },
};

const copying: Record<string, Case> = {
  "copyUp: carries owner, mode, times, xattrs and holes, and is invisible": (upper, subject) => {
    const { stat } = upper.create(upper.root, a, FILE, "absent");
    const { node, file } = upper.createUnnamed(upper.root, FILE, O_RDWR);
    file.write(bytes("data"), 0, 4, 1_000_000);
    upper.setattr(upper.root, { mtime: { sec: 1_000_000_000, nsec: 1 } });
    const copy = upper.copyUp(upper.root, b, {
      stat: {
        ...stat,
        mode: (stat.mode & ~0o7777) | 0o4711,
        sizeBytes: 2_000_000,
        ...{ mtimeSec: -5, mtimeNsec: 7, atimeSec: 4_294_967_299, atimeNsec: 999_999_999 },
      },
      xattrs: new Map([[bytesOf("user.bin"), Buffer.from([0, 255, 1])]]),
      content: file,
      originIno: 0xdead_beef_0123n,
    });
    file.close();
    upper.forget(node);
    const shown = upper.stat(copy);
    strictEqual(shown.mode & 0o7777, 0o4711);
    deepStrictEqual([shown.mtimeSec, shown.mtimeNsec], [-5, 7]);
    deepStrictEqual([shown.atimeSec, shown.atimeNsec], [4_294_967_299, 999_999_999]);
    deepStrictEqual([shown.sizeBytes, shown.blocks < 100], [2_000_000, true]);
    deepStrictEqual(upper.getxattr(copy, bytesOf("user.bin")), Buffer.from([0, 255, 1]));
    strictEqual(contentOf(upper, copy).toString("latin1", 999_999, 1_000_005), "\0data\0");
    const root = upper.stat(upper.root);
    deepStrictEqual([root.mtimeSec, root.mtimeNsec], [1_000_000_000, 1]);
    const after = subject.reopen();
    const again = after.lookup(after.root, b);
    ok(again !== undefined && again !== WHITEOUT);
    strictEqual(after.marks(again).originIno, 0xdead_beef_0123n);
  },
  "copyUp: directories come without content, with their redirect": (upper, { noRedirects }) => {
    const { stat } = upper.create(upper.root, a, DIRECTORY, "absent");
    const source = { stat, xattrs: new Map(), originIno: 5n };
    const copyUp = () => upper.copyUp(upper.root, d, { ...source, redirect: bytesOf("/x/y") });
    if (noRedirects === true) {
      fails(errno.EXDEV, copyUp);
      upper.copyUp(upper.root, d, source);
    } else strictEqual(upper.marks(copyUp()).redirect, "/x/y");
    fails(errno.EEXIST, () => upper.copyUp(upper.root, d, source));
  },
  "mark: opaque and redirect are set, kept, and never shown as xattrs": (upper, subject) => {
    const node = upper.create(upper.root, d, DIRECTORY, "absent");
    const moves = subject.noRedirects !== true;
    if (moves) upper.mark(node, { redirect: bytesOf("/old") });
    else fails(errno.EXDEV, () => upper.mark(node, { redirect: bytesOf("/old") }));
    upper.mark(node, { opaque: true });
    deepStrictEqual(upper.listxattr(node), []);
    for (const of of ["trusted", "user"]) {
      strictEqual(upper.getxattr(node, bytesOf(`${of}.overlay.opaque`)), undefined);
    }
    const after = subject.reopen();
    const again = after.lookup(after.root, d);
    ok(again !== undefined && again !== WHITEOUT);
    const { opaque, redirect } = after.marks(again);
    deepStrictEqual({ opaque, redirect }, { opaque: true, redirect: moves ? "/old" : undefined });
  },
  "setxattr: what a union inside calls its marks is content, and no mark": (upper) => {
    const node = upper.create(upper.root, d, DIRECTORY, "absent");
    for (const name of ["user.overlay.opaque", "user.overlay.overlay.opaque"].map(bytesOf)) {
      upper.setxattr(node, name, bytes("y"), 0);
      deepStrictEqual(upper.listxattr(node), [name]);
      strictEqual(upper.getxattr(node, name)?.toString(), "y");
      strictEqual(upper.marks(node).opaque, false);
      upper.removexattr(node, name);
      deepStrictEqual(upper.listxattr(node), []);
    }
  },
  "index: a copy under a key outlives its names and a remount": (upper, subject) => {
    const key = "1-2f" as ByteString;
    const node = writeFile(upper, upper.root, a, "x");
    upper.index(key, node);
    strictEqual(upper.indexed(key), node);
    strictEqual(upper.stat(node).nlink, 2);
    upper.remove(upper.root, a, "file", false);
    strictEqual(contentOf(upper, node).toString(), "x");
    const after = subject.reopen();
    deepStrictEqual(after.indexKeys(), [key]);
    const again = after.indexed(key);
    ok(again !== undefined);
    strictEqual(contentOf(after, again).toString(), "x");
    after.link(again, after.root, b, "absent");
    after.unindex(key);
    deepStrictEqual([after.indexKeys(), after.stat(again).nlink], [[], 1]);
    strictEqual(contentOf(after, again).toString(), "x");
  },
};

const filing: Record<string, Case> = {
  "open: append, truncate, holes": (upper) => {
    const node = writeFile(upper, upper.root, a, "12345");
    const file = upper.open(node, O_RDWR | O_APPEND);
    file.write(bytes("678"), 0, 3, 0);
    strictEqual(contentOf(upper, node).toString(), "12345678");
    file.truncate(1_000_000);
    strictEqual(file.seek(0, SEEK_DATA), 0);
    ok(file.seek(0, SEEK_HOLE) < 1_000_000);
    fails(errno.ENXIO, () => file.seek(500_000, SEEK_DATA));
    file.sync(false);
    file.close();
    upper.open(node, O_RDWR | O_TRUNC).close();
    strictEqual(upper.stat(node).sizeBytes, 0);
  },
  "open: what is not a regular file is refused": (upper) => {
    const open = (inode: NewInode): unknown =>
      upper.open(upper.create(upper.root, named(inode.type), inode, "absent"), O_RDONLY);
    fails(errno.EISDIR, () => open(DIRECTORY));
    fails(errno.ELOOP, () => open({ ...FILE, type: "symlink", target: bytesOf("/etc/passwd") }));
    fails(errno.ENXIO, () => open({ ...FILE, type: "fifo" }));
  },
  "setxattr: create, replace, and none": (upper) => {
    const node = writeFile(upper, upper.root, a, "");
    const name = bytesOf("user.x");
    fails(errno.ENODATA, () => upper.setxattr(node, name, bytes("1"), XATTR_REPLACE));
    upper.setxattr(node, name, bytes("1"), XATTR_CREATE);
    fails(errno.EEXIST, () => upper.setxattr(node, name, bytes("2"), XATTR_CREATE));
    upper.removexattr(node, name);
    fails(errno.ENODATA, () => upper.removexattr(node, name));
    strictEqual(upper.getxattr(node, name), undefined);
  },
  "setattr: times to the nanosecond, one without the other": (upper) => {
    const node = writeFile(upper, upper.root, a, "");
    upper.setattr(node, { mtime: { sec: 12, nsec: 999_999_999 } });
    const before = upper.stat(node);
    upper.setattr(node, { atime: { sec: -1, nsec: 1 } });
    const after = upper.stat(node);
    deepStrictEqual([before.mtimeSec, before.mtimeNsec], [12, 999_999_999]);
    deepStrictEqual([after.mtimeSec, after.mtimeNsec], [12, 999_999_999]);
    deepStrictEqual([after.atimeSec, after.atimeNsec], [-1, 1]);
  },
  "lookup: files are no directories": (upper) => {
    const node = writeFile(upper, upper.root, a, "");
    fails(errno.ENOTDIR, () => upper.lookup(node, b));
  },
};

/** Runs all cases on uppers that the factory makes. */
export function layerSuite(title: string, make: () => UpperSubject): void {
  const cases = { ...creating, ...removing, ...renaming, ...copying, ...filing };
  for (const [claim, run] of Object.entries(cases)) {
    test(`${title}: ${claim}`, () => {
      const subject = make();
      try {
        run(subject.upper, subject);
      } finally {
        subject.dispose();
      }
    });
  }
}
