// Everything new is made whole in a directory of its own within the user's directory, and is on the disk,
// before any name changes. What fails here (no room, not permitted) has changed nothing.

import { EngineError, errno, isFsError } from "../../errors.js";
import { AttributeWriter, copyExtents, removeTree, type SkippedXattr } from "../../layer/index.js";
import type { MergedTreeNode } from "../../overlay/index.js";
import {
  type ByteString,
  baseOf,
  ITSELF,
  type LayerPath,
  type Name,
  parentOf,
  textOf,
} from "../../path.js";
import {
  copyData,
  DEFAULT_ACL,
  Descriptor,
  ftruncate,
  isDirectory,
  isRegular,
  isSymlink,
  linkAt,
  listxattrAt,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  openAt,
  PERMISSION_BITS,
  pwriteFull,
  removexattrAt,
  S_IFMT,
  statAt,
  symlinkAt,
  syncfs,
  tryStatAt,
} from "../../sys/index.js";
import type { HostDirectory } from "./host-directory.js";
import type { JournalAttributes, JournalTimes, Step } from "./journal.js";
import type { Dress, Plan, Put } from "./plan.js";

const CREATE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
/** Where a link is refused, the file is copied. */
const NO_LINK = [errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EXDEV];

/** The name of a container's staging directory; then, of what is left to be removed. */
export function stagingNames(id: string): { readonly staging: Name; readonly rubbish: Name } {
  const short = id.slice(0, 12);
  return { staging: `.strata-apply-${short}` as Name, rubbish: `.strata-applied-${short}` as Name };
}

export interface Staged {
  readonly steps: readonly Step[];
  readonly skippedXattrs: readonly SkippedXattr[];
}

/** Makes the staging directory. Throws EngineError UNSUPPORTED, FsError: then it is gone again. */
export function stage(host: HostDirectory, plan: Plan, name: Name): Staged {
  if (tryStatAt(host.fd, name) !== undefined) removeTree(host.fd, name);
  mkdirAt(host.fd, name, 0o700);
  try {
    using directory = new Descriptor(openAt(host.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    // A default ACL, which new files would inherit.
    const xattrs = listxattrAt(directory.fd, ITSELF);
    if (xattrs.includes(DEFAULT_ACL)) removexattrAt(directory.fd, ITSELF, DEFAULT_ACL);
    const staging = new Staging(host, directory.fd);
    const steps = staging.stepsOf(plan);
    syncfs(directory.fd);
    return { steps, skippedXattrs: staging.writer.skipped };
  } catch (error) {
    removeTree(host.fd, name);
    throw error;
  }
}

class Staging {
  readonly writer = new AttributeWriter("native", false);
  readonly #host: HostDirectory;
  readonly #fd: number;
  /** The first slot of each new file with several names. */
  readonly #firsts = new Map<string, ByteString>();
  #slots = 0;

  constructor(host: HostDirectory, fd: number) {
    this.#host = host;
    this.#fd = fd;
  }

  stepsOf({ puts, removals, dresses }: Plan): Step[] {
    const away: Step[] = [];
    const moved = puts.filter(({ source }) => source === "moved");
    const leaving = [...removals.map(({ path }) => path), ...moved.map(({ from = "" }) => from)];
    const unstable = new Set<string>(leaving);
    const arriving = new Set<string>([...leaving, ...puts.map(({ path }) => path)]);
    const put: Step[] = [];
    for (const one of puts) {
      if (one.source !== "moved") {
        put.push(this.#stage(one));
        continue;
      }
      const { from = "" as LayerPath, path } = one;
      const ino = String(this.#host.stat(from)?.ino ?? 0n);
      const isFree = one.over === undefined && this.#host.stat(path) === undefined;
      const isPlain = isFree && isStable(from, unstable) && this.#isStanding(path, arriving);
      if (isPlain) away.push({ op: "move", from, path, ino });
      else {
        const slot = this.#slot();
        away.push({ op: "take", path: from, slot, ino });
        put.push({ op: "put", path, slot, ino, ...overText(one) });
      }
    }
    for (const { path, ino } of removals) {
      away.push({ op: "take", path, slot: this.#slot(), ino: String(ino) });
    }
    // What lies deepest goes first: so all paths stay as they are until their turn.
    away.sort((a, b) => depthOf(placeOf(b)) - depthOf(placeOf(a)));
    const dressed = [...dresses].sort((a, b) => depthOf(b.path) - depthOf(a.path));
    return [...away, ...put, ...dressed.map(dressStep)];
  }

  /** The directory that something is moved to is there now, and stays. */
  #isStanding(path: LayerPath, changing: ReadonlySet<string>): boolean {
    return isStable(path, changing) && isDirectory(this.#host.stat(parentOf(path))?.mode ?? 0);
  }

  #slot(): string {
    return String(this.#slots++);
  }

  #stage(put: Put): Step {
    const slot = this.#slot();
    const name = slot as ByteString;
    try {
      if (put.source !== "link" || !this.#link(put, name)) this.#make(put.node, name, put.path);
    } catch (error) {
      if (!isFsError(error)) throw error;
      const state = `${error.code} (${error.operation})`;
      throw new EngineError("UNAVAILABLE", `Cannot write "${textOf(put.path)}": ${state}`, {
        cause: error,
      });
    }
    const { ino } = statAt(this.#fd, name);
    return { op: "put", path: put.path, slot, ino: String(ino), ...overText(put) };
  }

  /** Another name for a file of the directory. */
  #link({ from = "" as LayerPath, node }: Put, slot: ByteString): boolean {
    using parent = this.#host.tryOpen(parentOf(from));
    if (parent === undefined) return false;
    try {
      linkAt(parent.fd, baseOf(from), this.#fd, slot);
    } catch (error) {
      if (isFsError(error, ...NO_LINK)) return false;
      throw error;
    }
    return statAt(this.#fd, slot).ino === node.baseIno;
  }

  #make(node: MergedTreeNode, slot: ByteString, path: LayerPath): void {
    const stat = node.stat();
    const { mode } = stat;
    if (isDirectory(mode)) {
      mkdirAt(this.#fd, slot, 0o700);
      return;
    }
    const key = node.hardlinkKey();
    const first = key === undefined ? undefined : this.#firsts.get(key);
    if (first !== undefined) {
      linkAt(this.#fd, first, this.#fd, slot);
      return;
    }
    if (key !== undefined) this.#firsts.set(key, slot);
    const attributes = { ...stat, mode: mode & PERMISSION_BITS, xattrs: node.xattrs() };
    if (isRegular(mode)) {
      using file = new Descriptor(openAt(this.#fd, slot, CREATE, 0o600));
      copyContent(node, file.fd, stat.sizeBytes);
      this.writer.file(file.fd, path, attributes, 0o600);
    } else if (isSymlink(mode)) {
      symlinkAt(node.readlink(), this.#fd, slot);
      this.writer.symlink(this.#fd, slot, path, attributes);
    } else {
      mknodAt(this.#fd, slot, (mode & S_IFMT) | 0o600, stat.rdevMajor, stat.rdevMinor);
      this.writer.special(this.#fd, slot, path, attributes);
    }
  }
}

function copyContent(node: MergedTreeNode, fd: number, sizeBytes: number): void {
  const content = node.open();
  try {
    if (content.fd !== undefined) {
      copyData(content.fd, fd, sizeBytes);
      return;
    }
    ftruncate(fd, sizeBytes);
    copyExtents(content, sizeBytes, (bytes, position) =>
      pwriteFull(fd, bytes, 0, bytes.length, position),
    );
  } finally {
    content.close();
  }
}

function overText({ over }: Put): { over?: string } {
  return over === undefined ? {} : { over: String(over) };
}

function placeOf(step: Step): LayerPath {
  return step.op === "move" ? step.from : step.path;
}

function depthOf(path: LayerPath): number {
  return path === "" ? 0 : path.split("/").length;
}

/** None of the directories above it goes away. */
function isStable(path: LayerPath, unstable: ReadonlySet<string>): boolean {
  for (let at = path; at !== ""; ) {
    at = parentOf(at);
    if (at !== "" && unstable.has(at)) return false;
  }
  return true;
}

function dressStep({ path, node, all, times }: Dress): Step {
  const stat = node.stat();
  const attributes: JournalAttributes = {
    mode: stat.mode & PERMISSION_BITS,
    uid: stat.uid,
    gid: stat.gid,
    xattrs: [...node.xattrs()].map(
      ([name, value]) => [name, Buffer.from(value).toString("base64")] as const,
    ),
  };
  const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = stat;
  const all4: JournalTimes = { atimeSec, atimeNsec, mtimeSec, mtimeNsec };
  return { op: "dress", path, ...(all ? { attributes } : {}), ...(times ? { times: all4 } : {}) };
}
