// The directory a case works in, with short names for the system calls: cases read like a list of
// what happens. Descriptors opened here are closed after the case. No expectations live here.

import { spawnSync } from "node:child_process";
import { type ByteString, bytesOf, type Name } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";

const CHUNK_BYTES = 1024 * 1024;
/** What a script of a case may take at most. */
const SCRIPT_TIMEOUT_MS = 20_000;

/** Attributes that stay when only the place of the data changes (copy-up). */
export interface Identity {
  readonly ino: bigint;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly sizeBytes: number;
  readonly mtime: string;
}

/** Text of a case as the name it is: cases write names in latin1. */
export function raw(name: string): Name {
  return name as Name;
}

export class Place {
  readonly #root: ByteString;
  readonly #descriptors = new Set<number>();

  constructor(root: string) {
    this.#root = bytesOf(root);
  }

  /** The absolute path of a name, "" for the directory itself; latin1 text is taken as bytes. */
  at(name: string): ByteString {
    return (name === "" ? this.#root : `${this.#root}/${name}`) as ByteString;
  }

  closeAll(): void {
    for (const fd of this.#descriptors) sys.close(fd);
    this.#descriptors.clear();
  }

  open(name: string, flags: number = sys.O_RDONLY, mode = 0o666): number {
    return this.adopt(sys.openAt(sys.AT_FDCWD, this.at(name), flags, mode));
  }

  /** Takes care of a descriptor that was opened elsewhere. */
  adopt(fd: number): number {
    this.#descriptors.add(fd);
    return fd;
  }

  close(fd: number): void {
    this.#descriptors.delete(fd);
    sys.close(fd);
  }

  stat(name: string): sys.Stat {
    return sys.statAt(sys.AT_FDCWD, this.at(name));
  }

  exists(name: string): boolean {
    return sys.tryStatAt(sys.AT_FDCWD, this.at(name)) !== undefined;
  }

  mode(name: string): number {
    return this.stat(name).mode & sys.PERMISSION_BITS;
  }

  identity(name: string): Identity {
    const { ino, mode, uid, gid, nlink, sizeBytes, mtimeSec, mtimeNsec } = this.stat(name);
    return { ino, mode, uid, gid, nlink, sizeBytes, mtime: `${mtimeSec}.${mtimeNsec}` };
  }

  /** Whole content of a file, one code unit a byte. */
  read(name: string): string {
    const fd = sys.openAt(sys.AT_FDCWD, this.at(name), sys.O_RDONLY);
    try {
      return readAll(fd);
    } finally {
      sys.close(fd);
    }
  }

  /** Creates or replaces the content of a file. */
  write(name: string, content: string, flags = sys.O_CREAT | sys.O_TRUNC): void {
    const fd = sys.openAt(sys.AT_FDCWD, this.at(name), sys.O_WRONLY | flags, 0o644);
    try {
      writeAt(fd, content, 0);
    } finally {
      sys.close(fd);
    }
  }

  /** Names in a directory, sorted by bytes. */
  names(name = ""): string[] {
    return this.dirents(name).map((dirent) => dirent.name as string);
  }

  dirents(name = ""): sys.Dirent[] {
    const fd = sys.openAt(sys.AT_FDCWD, this.at(name), sys.O_RDONLY | sys.O_DIRECTORY);
    try {
      return sys.readDirents(fd).sort((a, b) => (a.name < b.name ? -1 : 1));
    } finally {
      sys.close(fd);
    }
  }

  mkdir(name: string, mode = 0o755): void {
    sys.mkdirAt(sys.AT_FDCWD, this.at(name), mode);
  }

  mknod(name: string, mode: number, major = 0, minor = 0): void {
    sys.mknodAt(sys.AT_FDCWD, this.at(name), mode, major, minor);
  }

  symlink(target: string, name: string): void {
    sys.symlinkAt(target as ByteString, sys.AT_FDCWD, this.at(name));
  }

  readlink(name: string): string {
    return sys.readlinkAt(sys.AT_FDCWD, this.at(name));
  }

  link(from: string, to: string): void {
    sys.linkAt(sys.AT_FDCWD, this.at(from), sys.AT_FDCWD, this.at(to));
  }

  unlink(name: string): void {
    sys.unlinkAt(sys.AT_FDCWD, this.at(name));
  }

  rmdir(name: string): void {
    sys.rmdirAt(sys.AT_FDCWD, this.at(name));
  }

  rename(from: string, to: string, flags = 0): void {
    sys.renameAt(sys.AT_FDCWD, this.at(from), sys.AT_FDCWD, this.at(to), flags);
  }

  chmod(name: string, mode: number): void {
    sys.chmodAt(sys.AT_FDCWD, this.at(name), mode);
  }

  chown(name: string, uid: number, gid: number): void {
    sys.chownAt(sys.AT_FDCWD, this.at(name), uid, gid);
  }

  utimes(name: string, times: sys.Times): void {
    sys.utimensAt(sys.AT_FDCWD, this.at(name), times);
  }

  getxattr(name: string, attribute: string): string | undefined {
    const value = sys.getxattrAt(sys.AT_FDCWD, this.at(name), attribute as ByteString);
    return value?.toString("latin1");
  }

  setxattr(name: string, attribute: string, value: string, flags = 0): void {
    const bytes = Buffer.from(value, "latin1");
    sys.setxattrAt(sys.AT_FDCWD, this.at(name), attribute as ByteString, bytes, flags);
  }

  removexattr(name: string, attribute: string): void {
    sys.removexattrAt(sys.AT_FDCWD, this.at(name), attribute as ByteString);
  }

  xattrs(name: string): string[] {
    return sys.listxattrAt(sys.AT_FDCWD, this.at(name)).sort();
  }

  /** Runs a script in this directory; throws with what it printed unless it exits with 0. */
  script(interpreter: "python3" | "perl" | "sh", source: string): void {
    const flag = interpreter === "perl" ? "-e" : "-c";
    const child = spawnSync(`/usr/bin/${interpreter}`, [flag, source], {
      cwd: Buffer.from(this.#root, "latin1").toString("utf8"),
      encoding: "utf8",
      timeout: SCRIPT_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    if (child.status !== 0) {
      const end = child.status ?? child.signal ?? child.error?.message;
      throw new Error(`${interpreter} ended with ${end}: ${child.stdout}${child.stderr}`);
    }
  }
}

/** All bytes of an open file from its beginning. */
export function readAll(fd: number): string {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let text = "";
  for (;;) {
    const count = sys.pread(fd, chunk, 0, CHUNK_BYTES, text.length);
    if (count === 0) return text;
    text += chunk.toString("latin1", 0, count);
  }
}

/** Bytes of an open file, at most `length`, from `position` on. */
export function readAt(fd: number, position: number, length: number): string {
  const chunk = Buffer.alloc(length);
  return chunk.toString("latin1", 0, sys.preadFull(fd, chunk, 0, length, position));
}

export function writeAt(fd: number, content: string, position: number): void {
  const bytes = Buffer.from(content, "latin1");
  sys.pwriteFull(fd, bytes, 0, bytes.length, position);
}

/** Does something with the rights of another user: no capabilities, one group. */
export function asUser<Value>(uid: number, gid: number, action: () => Value): Value {
  const groups = process.getgroups?.() ?? [];
  process.setgroups?.([]);
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    return action();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
  }
}

/** Does something under another file mode creation mask. */
export function withUmask<Value>(mask: number, action: () => Value): Value {
  const before = sys.umask(mask);
  try {
    return action();
  } finally {
    sys.umask(before);
  }
}
