// The naive model of a file system: a plain tree of inodes with names, no layers. It starts as what
// extracting the layers one over another gives, and answers operations with what Linux answers.

import { errno } from "../../src/errors.js";
import type { NewInode } from "../../src/layer/index.js";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../src/sys/index.js";
import type { DirectorySpec, Spec } from "./layer-spec.js";

export type Kind = "directory" | "file" | "symlink" | "fifo";

/** One inode of the model. */
export class ModelInode {
  readonly kind: Kind;
  mode: number;
  uid = 0;
  gid = 0;
  content: Buffer = Buffer.alloc(0);
  target = "";
  readonly xattrs = new Map<string, string>();
  readonly children = new Map<string, ModelInode>();
  nlink = 1;
  /** Set by utimens; undefined once anything else changed it. */
  mtimeSec: number | undefined = undefined;
  /** What the overlay shows; learnt once, and then expected. */
  ino: bigint | undefined = undefined;

  constructor(kind: Kind, mode: number) {
    this.kind = kind;
    this.mode = mode;
  }
}

/** A refusal: the errno that the operation is to answer. */
export class Refused extends Error {
  readonly errno: number;

  constructor(number: number) {
    super(`errno ${number}`);
    this.errno = number;
  }
}

function refuseIf(condition: boolean, number: number): void {
  if (condition) throw new Refused(number);
}

/** The tree that layers (base first) make, each extracted over those before it. */
export function mergeSpecs(layers: readonly DirectorySpec[]): ModelInode {
  const root = new ModelInode("directory", 0o755);
  for (const layer of layers) {
    root.mode = layer.mode;
    extractInto(root, layer, new Map());
  }
  return root;
}

function extractInto(into: ModelInode, spec: DirectorySpec, groups: Map<number, ModelInode>): void {
  // Whiteouts and opaque directories hide what earlier layers brought.
  if (spec.opaque) into.children.clear();
  for (const [name, child] of spec.children) extract(into, name, child, groups);
}

function extract(
  into: ModelInode,
  name: string,
  spec: Spec,
  groups: Map<number, ModelInode>,
): void {
  const present = into.children.get(name);
  if (spec.kind === "whiteout") into.children.delete(name);
  else if (spec.kind === "directory") {
    const inode = present?.kind === "directory" ? present : new ModelInode("directory", spec.mode);
    inode.mode = spec.mode;
    into.children.set(name, inode);
    extractInto(inode, spec, groups);
  } else if (spec.kind === "symlink") {
    const inode = new ModelInode("symlink", 0o777);
    inode.target = spec.target;
    into.children.set(name, inode);
  } else if (spec.kind === "fifo") {
    into.children.set(name, new ModelInode("fifo", spec.mode));
  } else {
    const known = spec.group === undefined ? undefined : groups.get(spec.group);
    const inode = known ?? new ModelInode("file", spec.mode);
    if (known === undefined) {
      inode.content = Buffer.from(spec.content, "utf8");
      inode.xattrs.set("user.born", spec.content);
    } else inode.nlink++;
    if (spec.group !== undefined) groups.set(spec.group, inode);
    into.children.set(name, inode);
  }
}

/** A path's directory and last name. */
export interface At {
  readonly directory: ModelInode;
  readonly name: string;
}

/** Operations as the overlay has them; each throws Refused or changes the model. */
export const model = {
  create(at: At, inode: NewInode): ModelInode {
    refuseIf(at.directory.children.has(at.name), errno.EEXIST);
    const setgid = (at.directory.mode & 0o2000) !== 0;
    const kind = inode.type as Kind;
    let mode = kind === "symlink" ? 0o777 : inode.mode & ~inode.umask;
    if (kind === "directory") mode = (mode & 0o1777) | (setgid ? 0o2000 : 0);
    const made = new ModelInode(kind, mode);
    if (setgid) made.gid = at.directory.gid;
    made.target = inode.target ?? "";
    add(at, made);
    return made;
  },

  link(inode: ModelInode, at: At): void {
    refuseIf(at.directory.children.has(at.name), errno.EEXIST);
    refuseIf(inode.kind === "directory", errno.EPERM);
    inode.nlink++;
    add(at, inode);
  },

  unlink(at: At): void {
    const inode = at.directory.children.get(at.name);
    if (inode === undefined) throw new Refused(errno.ENOENT);
    refuseIf(inode.kind === "directory", errno.EISDIR);
    remove(at);
  },

  rmdir(at: At): void {
    const inode = at.directory.children.get(at.name);
    if (inode === undefined) throw new Refused(errno.ENOENT);
    refuseIf(inode.kind !== "directory", errno.ENOTDIR);
    refuseIf(inode.children.size > 0, errno.ENOTEMPTY);
    remove(at);
  },

  rename(from: At, to: At, flags: number): void {
    const source = from.directory.children.get(from.name);
    const target = to.directory.children.get(to.name);
    if (source === undefined) throw new Refused(errno.ENOENT);
    refuseIf(target !== undefined && (flags & RENAME_NOREPLACE) !== 0, errno.EEXIST);
    refuseIf(contains(source, to.directory), errno.EINVAL);
    if ((flags & RENAME_EXCHANGE) !== 0) {
      if (target === undefined) throw new Refused(errno.ENOENT);
      refuseIf(contains(target, from.directory), errno.EINVAL);
      if (source === target) return;
      add(from, target);
      add(to, source);
      return;
    }
    if (source === target) return;
    if (target !== undefined) {
      const isDirectory = source.kind === "directory";
      refuseIf(contains(target, from.directory), errno.ENOTEMPTY);
      refuseIf(target.kind === "directory" && !isDirectory, errno.EISDIR);
      refuseIf(target.kind !== "directory" && isDirectory, errno.ENOTDIR);
      refuseIf(target.children.size > 0, errno.ENOTEMPTY);
      remove(to);
    }
    from.directory.children.delete(from.name);
    from.directory.mtimeSec = undefined;
    add(to, source);
  },

  write(inode: ModelInode, position: number, bytes: Buffer): void {
    if (bytes.length === 0) return;
    const size = Math.max(inode.content.length, position + bytes.length);
    const content = Buffer.alloc(size);
    inode.content.copy(content);
    bytes.copy(content, position);
    inode.content = content;
    inode.mtimeSec = undefined;
  },

  truncate(inode: ModelInode, sizeBytes: number): void {
    refuseIf(inode.kind === "directory", errno.EISDIR);
    refuseIf(inode.kind !== "file", errno.EINVAL);
    const content = Buffer.alloc(sizeBytes);
    inode.content.copy(content);
    inode.content = content;
    inode.mtimeSec = undefined;
  },

  chown(inode: ModelInode, uid: number, gid: number): void {
    inode.uid = uid;
    inode.gid = gid;
    if (inode.kind !== "directory") {
      inode.mode &= ~0o4000;
      if (inode.mode & 0o010) inode.mode &= ~0o2000;
    }
  },
};

function add(at: At, inode: ModelInode): void {
  at.directory.children.set(at.name, inode);
  at.directory.mtimeSec = undefined;
}

function remove(at: At): void {
  const inode = at.directory.children.get(at.name);
  if (inode !== undefined) inode.nlink--;
  at.directory.children.delete(at.name);
  at.directory.mtimeSec = undefined;
}

/** True when `inode` is, or lies below, `ancestor`. */
export function contains(ancestor: ModelInode, inode: ModelInode): boolean {
  if (ancestor === inode) return true;
  for (const child of ancestor.children.values()) if (contains(child, inode)) return true;
  return false;
}
