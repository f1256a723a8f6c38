// What goes wrong around an upper: leftovers of a crash, a second mount, another file system, a full
// disk, kill -9 in the middle of a step, and rights that are missing.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { errno, isFsError } from "../../src/errors.js";
import {
  type CopyUpSource,
  memoryLayer,
  openDirectoryUpper,
  type UpperLayer,
  WHITEOUT,
} from "../../src/layer/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import {
  AT_FDCWD,
  features,
  getxattrAt,
  MNT_DETACH,
  mkdirAt,
  mount,
  O_RDWR,
  setxattrAt,
  statAt,
  umask,
  umount2,
} from "../../src/sys/index.js";
import { isRoot, Scratch } from "./host-tree.js";
import { contentOf, dumpLayer } from "./layer-dump.js";
import { DIRECTORY, FILE, named, writeFile } from "./upper-files.js";

const canMount = features().mount ? false : "needs root: mounts a tmpfs";

interface Paths {
  readonly upper: string;
  readonly work: string;
}

function pathsIn(scratch: Scratch): Paths {
  return { upper: scratch.directory("upper"), work: scratch.directory("work") };
}

/** A lower file of `sizeBytes` bytes of data, to be copied up. */
function bigSource(sizeBytes: number): CopyUpSource {
  const lower = memoryLayer();
  const node = lower.create(lower.root, named("big"), FILE, "absent");
  const file = lower.open(node, O_RDWR);
  file.write(Buffer.alloc(sizeBytes, 7), 0, sizeBytes, 0);
  return { stat: lower.stat(node), xattrs: new Map(), content: file, originIno: 1n };
}

test("openDirectoryUpper: leftovers of other tools in the work directory go, what is outside stays", () => {
  using scratch = new Scratch();
  const { upper, work } = pathsIn(scratch);
  mkdirSync(join(work, "work/#3f/deep/er"), { recursive: true });
  mkdirSync(join(work, "work/incompat/volatile"), { recursive: true });
  writeFileSync(join(work, "work/#41"), "half a copy");
  writeFileSync(join(scratch.path, "outside"), "kept");
  symlinkSync(scratch.path, join(work, "work/link"));
  chmodSync(join(work, "work"), 0);
  openDirectoryUpper(upper, work).close();
  deepStrictEqual(readdirSync(join(work, "work")), ["whiteout"]);
  deepStrictEqual(readdirSync(scratch.path).sort(), ["outside", "upper", "work"]);
});

test("openDirectoryUpper: a work directory in use is EBUSY, and free again after close", () => {
  using scratch = new Scratch();
  const { upper, work } = pathsIn(scratch);
  const first = openDirectoryUpper(upper, work);
  throws(
    () => openDirectoryUpper(upper, work),
    (error) => isFsError(error, errno.EBUSY),
  );
  first.create(first.root, named("a"), FILE, "absent");
  first.close();
  openDirectoryUpper(upper, work).close();
});

test("remove: more whiteouts than the file system gives one inode names", () => {
  using scratch = new Scratch();
  const { upper: upperPath, work } = pathsIn(scratch);
  const upper = openDirectoryUpper(upperPath, work);
  // ext4 takes 65,000 names; where there are more, nothing is to be seen here.
  const count = 65_500;
  for (let index = 0; index < count; index++) {
    upper.remove(upper.root, named(`${index}`), "absent", true);
  }
  strictEqual(upper.readdir(upper.root).filter(({ whiteout }) => whiteout).length, count);
  upper.close();
});

test("openDirectoryUpper: missing directories are ENOENT", () => {
  using scratch = new Scratch();
  const { upper, work } = pathsIn(scratch);
  const absent = join(scratch.path, "absent");
  throws(
    () => openDirectoryUpper(absent, work),
    (error) => isFsError(error, errno.ENOENT),
  );
  throws(
    () => openDirectoryUpper(upper, absent),
    (error) => isFsError(error, errno.ENOENT),
  );
});

/** Runs `use` with a small tmpfs at a directory of the scratch. */
function withSmallDisk(scratch: Scratch, use: (path: string) => void): void {
  const path = scratch.directory("disk");
  mount(bytesOf("tmpfs"), bytesOf(path), bytesOf("tmpfs"), 0, bytesOf("size=2m,mode=755"));
  try {
    use(path);
  } finally {
    umount2(bytesOf(path), MNT_DETACH);
  }
}

test("openDirectoryUpper: upper and work on two file systems are EXDEV", { skip: canMount }, () => {
  using scratch = new Scratch();
  const upper = scratch.directory("upper");
  withSmallDisk(scratch, (path) =>
    throws(
      () => openDirectoryUpper(upper, path),
      (error) => isFsError(error, errno.EXDEV),
    ),
  );
});

test("copyUp: a full disk is ENOSPC, changes nothing and leaves nothing", {
  skip: canMount,
}, () => {
  using scratch = new Scratch();
  withSmallDisk(scratch, (path) => {
    const paths = { upper: join(path, "upper"), work: join(path, "work") };
    for (const one of Object.values(paths)) mkdirSync(one);
    const upper = openDirectoryUpper(paths.upper, paths.work);
    writeFile(upper, upper.root, named("kept"), "kept");
    const before = dumpLayer(upper);
    const big = named("big");
    throws(
      () => upper.copyUp(upper.root, big, bigSource(4_000_000)),
      (error) => isFsError(error, errno.ENOSPC),
    );
    deepStrictEqual(dumpLayer(upper), before);
    deepStrictEqual(readdirSync(join(paths.work, "work")), ["whiteout"]);
    const copy = upper.copyUp(upper.root, big, bigSource(500_000));
    strictEqual(contentOf(upper, copy).length, 500_000);
    upper.close();
  });
});

const childProgram = fileURLToPath(new URL("./copy-up-loop.js", import.meta.url));

test("copyUp: kill -9 leaves whole files and whole directories only", async () => {
  using scratch = new Scratch();
  const { upper, work } = pathsIn(scratch);
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [childProgram, upper, work], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, 7 * round + 3));
    child.kill("SIGKILL");
    await once(child, "exit");
    const after = openDirectoryUpper(upper, work);
    expectWhole(after);
    deepStrictEqual(readdirSync(join(work, "work")), ["whiteout"]);
    after.close();
  }
});

/** What copy-up-loop.ts may show at any time. */
function expectWhole(upper: UpperLayer): void {
  for (const { name, whiteout } of upper.readdir(upper.root)) {
    if (whiteout) continue;
    const node = upper.lookup(upper.root, name);
    ok(node !== undefined && node !== WHITEOUT);
    if (name.startsWith("dir")) {
      strictEqual(upper.marks(node).opaque, true, `${name} is opaque`);
      continue;
    }
    const content = contentOf(upper, node);
    strictEqual(content.length, 300_000, `${name} is whole`);
    ok(content.every((byte) => byte === 7));
    strictEqual(upper.getxattr(node, bytesOf("user.mark"))?.toString(), "set");
    strictEqual(upper.marks(node).originIno, 77n);
  }
}

/** acl(5) as the kernel keeps it: user::rwx, user:<ours>:rwx, group::r-x, mask::rwx, other::---. */
function aclValue(): Buffer {
  const entries = [
    [0x01, 7, 0xffff_ffff],
    [0x02, 7, process.getuid?.() ?? 0],
    [0x04, 5, 0xffff_ffff],
    [0x10, 7, 0xffff_ffff],
    [0x20, 0, 0xffff_ffff],
  ] as const;
  const value = Buffer.alloc(4 + 8 * entries.length);
  value.writeUInt32LE(2, 0);
  entries.forEach(([tag, permissions, id], index) => {
    value.writeUInt16LE(tag, 4 + 8 * index);
    value.writeUInt16LE(permissions, 6 + 8 * index);
    value.writeUInt32LE(id, 8 + 8 * index);
  });
  return value;
}

const ACCESS = bytesOf("system.posix_acl_access");
const DEFAULT = bytesOf("system.posix_acl_default");

test("create: a default ACL is inherited in place and over a whiteout, as on a plain directory", (t) => {
  using scratch = new Scratch();
  const { upper: upperPath, work } = pathsIn(scratch);
  const plain = scratch.directory("plain");
  try {
    setxattrAt(AT_FDCWD, bytesOf(plain), DEFAULT, aclValue());
  } catch (error) {
    if (!isFsError(error, errno.EOPNOTSUPP)) throw error;
    t.skip("the file system has no ACLs");
    return;
  }
  const before = umask(0o027);
  mkdirAt(AT_FDCWD, bytesOf(join(plain, "directory")), 0o777);
  writeFileSync(join(plain, "file"), "", { mode: 0o666 });
  umask(before);

  const upper = openDirectoryUpper(upperPath, work);
  const parent = upper.create(upper.root, named("d"), DIRECTORY, "absent");
  upper.setxattr(parent, DEFAULT, aclValue(), 0);
  for (const inode of [
    { ...FILE, mode: 0o666, umask: 0o027 },
    { ...DIRECTORY, mode: 0o777, umask: 0o027 },
  ]) {
    const oracle = bytesOf(join(plain, inode.type));
    const over = `${inode.type}-over` as Name;
    upper.remove(parent, over, "absent", true);
    const made = [
      upper.create(parent, named(inode.type), inode, "absent"),
      upper.create(parent, over, inode, "whiteout"),
    ];
    for (const node of made) {
      strictEqual(upper.stat(node).mode, statAt(AT_FDCWD, oracle).mode);
      for (const acl of [ACCESS, DEFAULT]) {
        deepStrictEqual(upper.getxattr(node, acl), getxattrAt(AT_FDCWD, oracle, acl));
      }
    }
  }
  upper.close();
});

const NOBODY = 65534;
const overrideProgram = fileURLToPath(new URL("./override-upper.js", import.meta.url));

function unreadable(): string | false {
  if (!isRoot) return false;
  const as = { uid: NOBODY, gid: NOBODY };
  return spawnSync("test", ["-r", overrideProgram], as).status === 0
    ? false
    : "the unprivileged user cannot read the compiled tests";
}

test("override: owners, modes and devices that are refused are recorded", {
  skip: unreadable(),
}, () => {
  using scratch = new Scratch();
  const { upper, work } = pathsIn(scratch);
  if (isRoot) execFileSync("chown", ["-R", `${NOBODY}:${NOBODY}`, scratch.path]);
  else chownSync(scratch.path, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  const { stdout, stderr, status } = spawnSync(process.execPath, [overrideProgram, upper, work], {
    encoding: "utf8",
    ...(isRoot && { uid: NOBODY, gid: NOBODY }),
  });
  strictEqual(status, 0, stderr);
  deepStrictEqual(JSON.parse(stdout), {
    file: "100640 0:42 0,0",
    shadow: "100000 7:7 0,0",
    setuid: "104755 0:0 0,0",
    directory: "40555 0:42 0,0",
    "directory/inside": "100644 0:0 0,0",
    null: "20666 0:0 1,3",
    disk: "60660 0:6 8,300",
    pipe: "10622 0:42 0,0",
    copied: "104711 12:34 0,0",
    chowned: "100755 3:4 0,0",
    types: "file:8 shadow:8 setuid:8 directory:4 null:2 disk:6 pipe:1 copied:8 chowned:8",
    xattrs: "",
  });
});
