// The operations that a worker chooses from. Each tells in a word what it saw: that is compared.

import { createHash } from "node:crypto";
import { type ByteString, bytesOf } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import type { KnownTree } from "./known-tree.js";
import type { MappedWriter } from "./mapped-writer.js";

const { AT_FDCWD } = sys;
/** A major number that no driver has: whoever opened such a device would get ENXIO. */
const NO_DRIVER = 511;
const MAX_HELD = 6;
/** None leads out of the tree: what was a directory may be a link when it is walked through. */
const SYMLINK_TARGETS = ["a", "dir/b", "nowhere", "/nowhere/at/all", "n".repeat(2000)];

export interface Worker {
  readonly tree: KnownTree;
  readonly mapped: MappedWriter;
  /** Files that stay open, whatever becomes of their names. */
  readonly held: number[];
  /** Also files that are open for reading only, from before their first change. */
  readonly holdReaders: boolean;
}

/** What it saw; nothing but that it went well when undefined. Throws FsError. */
export type Operation = (worker: Worker) => string | undefined;

/** O_NONBLOCK: what was a file may be a pipe by now. */
const NEVER_WAIT = sys.O_NOFOLLOW | sys.O_NONBLOCK;

function withFile<Seen>(path: ByteString, flags: number, use: (fd: number) => Seen): Seen {
  using file = new sys.Descriptor(sys.openAt(AT_FDCWD, path, flags | NEVER_WAIT, 0o640));
  return use(file.fd);
}

function write(fd: number, bytes: Uint8Array, offset: number): undefined {
  sys.pwriteFull(fd, bytes, 0, bytes.length, offset);
}

const chunk = Buffer.alloc(1 << 20);

function digest(fd: number): string {
  const hash = createHash("sha1");
  let offset = 0;
  for (;;) {
    const count = sys.preadFull(fd, chunk, 0, chunk.length, offset);
    hash.update(chunk.subarray(0, count));
    offset += count;
    if (count < chunk.length) return `${offset} ${hash.digest("hex").slice(0, 12)}`;
  }
}

function shown({ mode, uid, gid, nlink, sizeBytes, rdevMajor, rdevMinor }: sys.Stat): string {
  const size = sys.isDirectory(mode) ? "" : sizeBytes;
  const gone = nlink === 0 ? "gone" : "";
  return `${mode.toString(8)} ${uid} ${gid} ${size} ${rdevMajor} ${rdevMinor} ${gone}`;
}

function removeTree(path: ByteString): void {
  if (!sys.isDirectory(sys.statAt(AT_FDCWD, path).mode)) {
    sys.unlinkAt(AT_FDCWD, path);
    return;
  }
  for (const name of namesIn(path)) removeTree(`${path}/${name}` as ByteString);
  sys.rmdirAt(AT_FDCWD, path);
}

function namesIn(path: ByteString): string[] {
  const flags = sys.O_RDONLY | sys.O_DIRECTORY | sys.O_NOFOLLOW;
  using directory = new sys.Descriptor(sys.openAt(AT_FDCWD, path, flags));
  return sys
    .readDirents(directory.fd)
    .map(({ name }) => name as string)
    .sort();
}

export const births: Readonly<Record<string, Operation>> = {
  create: ({ tree }) =>
    withFile(tree.fresh(), sys.O_RDWR | sys.O_CREAT, (fd) => write(fd, tree.bytes(), 0)),
  createNew: ({ tree }) =>
    withFile(tree.fresh(), sys.O_RDWR | sys.O_CREAT | sys.O_EXCL, (fd) =>
      write(fd, tree.bytes(), 0),
    ),
  mkdir: ({ tree }) => void sys.mkdirAt(AT_FDCWD, tree.fresh(), 0o751),
  symlink: ({ tree }) => {
    const target = tree.random.oneOf(SYMLINK_TARGETS) ?? "";
    sys.symlinkAt(bytesOf(target), AT_FDCWD, tree.fresh());
    return undefined;
  },
  fifo: ({ tree }) => void sys.mknodAt(AT_FDCWD, tree.fresh(), sys.S_IFIFO | 0o611, 0, 0),
  socket: ({ tree }) => void sys.mknodAt(AT_FDCWD, tree.fresh(), sys.S_IFSOCK | 0o611, 0, 0),
  device: ({ tree }) => {
    const minor = tree.random.below(300);
    sys.mknodAt(AT_FDCWD, tree.fresh(), sys.S_IFCHR | 0o622, NO_DRIVER, minor);
    return undefined;
  },
  tmpfile: ({ tree }) =>
    withFile(tree.directory(), sys.O_TMPFILE | sys.O_RDWR, (fd) => {
      write(fd, tree.bytes(), 0);
      sys.linkFd(fd, AT_FDCWD, tree.fresh());
      return undefined;
    }),
  link: ({ tree }) => void sys.linkAt(AT_FDCWD, tree.file(), AT_FDCWD, tree.fresh()),
};

export const removals: Readonly<Record<string, Operation>> = {
  unlink: ({ tree }) => void sys.unlinkAt(AT_FDCWD, tree.file()),
  rmdir: ({ tree }) => void sys.rmdirAt(AT_FDCWD, tree.some()),
  removeTree: ({ tree }) => void removeTree(tree.some()),
  replaceTree: ({ tree }) => {
    const path = tree.some();
    removeTree(path);
    sys.mkdirAt(AT_FDCWD, path, 0o700);
    return namesIn(path).join();
  },
};

export const moves: Readonly<Record<string, Operation>> = {
  rename: ({ tree }) => void sys.renameAt(AT_FDCWD, tree.some(), AT_FDCWD, tree.fresh(), 0),
  renameOver: ({ tree }) => void sys.renameAt(AT_FDCWD, tree.some(), AT_FDCWD, tree.some(), 0),
  renameNew: ({ tree }) =>
    void sys.renameAt(AT_FDCWD, tree.some(), AT_FDCWD, tree.fresh(), sys.RENAME_NOREPLACE),
  exchange: ({ tree }) =>
    void sys.renameAt(AT_FDCWD, tree.some(), AT_FDCWD, tree.some(), sys.RENAME_EXCHANGE),
};

const space = sys.FALLOC_FL_KEEP_SIZE;

export const writes: Readonly<Record<string, Operation>> = {
  write: ({ tree }) =>
    withFile(tree.regular(), sys.O_RDWR, (fd) => write(fd, tree.bytes(), tree.random.below(9000))),
  append: ({ tree }) =>
    withFile(tree.regular(), sys.O_WRONLY | sys.O_APPEND, (fd) => {
      const bytes = Buffer.from(tree.text());
      return String(sys.write(fd, bytes, 0, bytes.length));
    }),
  sparse: ({ tree }) =>
    withFile(tree.regular(), sys.O_RDWR, (fd) => write(fd, tree.bytes(), 400_000)),
  truncate: ({ tree }) =>
    withFile(tree.regular(), sys.O_RDWR, (fd) => void sys.ftruncate(fd, tree.random.below(9000))),
  openTruncate: ({ tree }) => withFile(tree.regular(), sys.O_RDWR | sys.O_TRUNC, digest),
  punch: ({ tree }) =>
    withFile(tree.regular(), sys.O_RDWR, (fd) => {
      const mode = tree.random.oneOf([sys.FALLOC_FL_PUNCH_HOLE, sys.FALLOC_FL_ZERO_RANGE, 0]) ?? 0;
      sys.fallocate(fd, mode | space, tree.random.below(3) * 4096, 4096);
      return digest(fd);
    }),
  copy: ({ tree }) =>
    withFile(tree.regular(), sys.O_RDONLY, (from) =>
      withFile(tree.regular(), sys.O_RDWR, (to) => {
        const copied = sys.copyFileRange(from, tree.random.below(5000), to, 100, 20_000);
        return `${copied} ${digest(to)}`;
      }),
    ),
  map: ({ tree, mapped }) => mapped.write(tree.regular(), tree.random.below(300_000), tree.text()),
  sync: ({ tree }) => withFile(tree.regular(), sys.O_RDWR, (fd) => void sys.fsync(fd)),
};

export const attributes: Readonly<Record<string, Operation>> = {
  chmod: ({ tree }) => {
    const mode = tree.random.oneOf([0o755, 0o600, 0o4711, 0o1777]) ?? 0;
    sys.chmodAt(AT_FDCWD, tree.some(), mode);
    return undefined;
  },
  chown: ({ tree }) => {
    const gid = tree.random.oneOf([0, 5, 3_000_000]) ?? 0;
    sys.chownAt(AT_FDCWD, tree.some(), tree.random.below(3), gid);
    return undefined;
  },
  setxattr: ({ tree }) =>
    void sys.setxattrAt(AT_FDCWD, tree.some(), bytesOf("user.x"), Buffer.from([0, 255, 10])),
  setTrusted: ({ tree }) =>
    void sys.setxattrAt(AT_FDCWD, tree.some(), bytesOf("trusted.y"), Buffer.from(tree.text())),
  removexattr: ({ tree }) => void sys.removexattrAt(AT_FDCWD, tree.some(), bytesOf("user.x")),
  utimens: ({ tree }) => {
    const mtimeSec = tree.random.oneOf([0, -5, 1_700_000_000, 4_294_967_296]) ?? 0;
    const mtimeNsec = tree.random.below(1_000_000_000);
    const path = tree.some();
    sys.utimensAt(AT_FDCWD, path, { atimeSec: 7, atimeNsec: 8, mtimeSec, mtimeNsec });
    const seen = sys.statAt(AT_FDCWD, path);
    return `${seen.mtimeSec} ${seen.mtimeNsec}`;
  },
};

export const looks: Readonly<Record<string, Operation>> = {
  read: ({ tree }) => withFile(tree.regular(), sys.O_RDONLY, digest),
  stat: ({ tree }) => shown(sys.statAt(AT_FDCWD, tree.some())),
  statFresh: ({ tree }) => shown(sys.statAt(AT_FDCWD, tree.fresh())),
  list: ({ tree }) => namesIn(tree.directory()).join("|"),
  xattrs: ({ tree }) => sys.listxattrAt(AT_FDCWD, tree.some()).sort().join(),
  readlink: ({ tree }) => sys.readlinkAt(AT_FDCWD, tree.file()).slice(0, 50),
};

/** One of the held files; a new one when there is none. */
function heldFile(worker: Worker): number {
  return worker.tree.random.oneOf(worker.held) ?? hold(worker);
}

function hold(worker: Worker): number {
  const { tree, held } = worker;
  const reader = worker.holdReaders && tree.random.below(2) === 0;
  const flags = (reader ? sys.O_RDONLY : sys.O_RDWR) | NEVER_WAIT;
  const fd = sys.openAt(AT_FDCWD, tree.regular(), flags);
  held.push(fd);
  return fd;
}

export const holding: Readonly<Record<string, Operation>> = {
  hold: (worker) => {
    if (worker.held.length < MAX_HELD) hold(worker);
    return undefined;
  },
  release: ({ held }) => {
    const fd = held.shift();
    if (fd !== undefined) sys.close(fd);
    return undefined;
  },
  heldWrite: (worker) => {
    const { tree } = worker;
    return write(heldFile(worker), Buffer.from(tree.text()), tree.random.below(9000));
  },
  heldRead: (worker) => digest(heldFile(worker)),
  heldTruncate: (worker) => void sys.ftruncate(heldFile(worker), worker.tree.random.below(9000)),
  heldStat: (worker) => shown(sys.statFd(heldFile(worker))),
  heldChmod: (worker) => {
    const fd = heldFile(worker);
    sys.fchmod(fd, worker.tree.random.oneOf([0o640, 0o604]) ?? 0);
    return shown(sys.statFd(fd));
  },
  heldXattr: (worker) => {
    const fd = heldFile(worker);
    sys.setxattrFd(fd, bytesOf("user.held"), Buffer.from(worker.tree.text()));
    return sys.getxattrFd(fd, bytesOf("user.held"))?.toString();
  },
};
