// Carrying out the steps of a journal, each atomic and each harmless when it was done before: inode
// numbers tell. A step that finds neither what was before it nor what is to be after it was overtaken by
// somebody else, and stops the apply unless that is forced.

import { EngineError, errno, isFsError } from "../../errors.js";
import { AttributeWriter, removeTree } from "../../layer/index.js";
import {
  type ByteString,
  baseOf,
  bytesOf,
  ITSELF,
  type LayerPath,
  type Name,
  parentOf,
  textOf,
} from "../../path.js";
import {
  chmodAt,
  Descriptor,
  isDirectory,
  isRegular,
  isSymlink,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  openAt,
  PERMISSION_BITS,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  renameAt,
  type Stat,
  statAt,
  syncfs,
  tryStatAt,
  UTIME_OMIT,
  utimensAt,
} from "../../sys/index.js";
import type { HostDirectory } from "./host-directory.js";
import type { JournalTimes, Step } from "./journal.js";

const OWNER_ALL = 0o700;

/** For tests of crashes: called before each step, with its number. */
export type BeforeApplyStep = (step: number) => void;

export interface RunOptions {
  readonly staging: Name;
  readonly rubbish: Name;
  readonly force: boolean;
  readonly beforeStep: BeforeApplyStep | undefined;
}

/** Does what is still to be done; nothing stays of the staging directory. Throws EngineError IN_USE, FsError. */
export function runSteps(host: HostDirectory, steps: readonly Step[], options: RunOptions): void {
  const { staging, rubbish, beforeStep } = options;
  const runner = new Runner(host, steps, options);
  // Once all names are in place the staging directory has another: then only attributes are left.
  if (tryStatAt(host.fd, staging) !== undefined) {
    using stagingFd = new Descriptor(openAt(host.fd, staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    for (const [n, step] of steps.entries()) {
      beforeStep?.(n);
      if (step.op !== "dress") runner.name(step, stagingFd.fd);
    }
    syncfs(host.fd);
    renameAt(host.fd, staging, host.fd, rubbish, RENAME_NOREPLACE);
  }
  beforeStep?.(steps.length);
  if (tryStatAt(host.fd, rubbish) !== undefined) removeTree(host.fd, rubbish);
  for (const [n, step] of steps.entries()) {
    if (step.op !== "dress") continue;
    beforeStep?.(steps.length + n);
    runner.dress(step);
  }
  syncfs(host.fd);
}

type NameStep = Exclude<Step, { op: "dress" }>;
type DressStep = Extract<Step, { op: "dress" }>;

class Runner {
  readonly #host: HostDirectory;
  readonly #force: boolean;
  readonly #writer = new AttributeWriter("native", false);
  /** Where what is taken is put in the end, by slot. */
  readonly #arrivals: ReadonlyMap<string, LayerPath>;

  constructor(host: HostDirectory, steps: readonly Step[], { force }: RunOptions) {
    this.#host = host;
    this.#force = force;
    this.#arrivals = new Map(
      steps.flatMap((step) => (step.op === "put" ? [[step.slot, step.path] as const] : [])),
    );
  }

  name(step: NameStep, stagingFd: number): void {
    const there =
      step.op === "move" ? this.#host.stat(step.path) : tryStatAt(stagingFd, slotOf(step));
    const isHere = there !== undefined && String(there.ino) === step.ino;
    switch (step.op) {
      case "take":
        if (!isHere && !this.#hasArrived(step)) this.#take(step, stagingFd);
        return;
      case "move":
        if (!isHere) this.#move(step);
        return;
      case "put": {
        const now = this.#host.stat(step.path);
        if (now !== undefined && String(now.ino) === step.ino) return;
        if (isHere) this.#put(step, stagingFd, now, there);
        else this.#overtaken(step.path);
      }
    }
  }

  #hasArrived({ slot, ino }: Extract<Step, { op: "take" }>): boolean {
    const path = this.#arrivals.get(slot);
    return path !== undefined && String(this.#host.stat(path)?.ino) === ino;
  }

  #take({ path, slot, ino }: Extract<Step, { op: "take" }>, stagingFd: number): void {
    const now = this.#host.stat(path);
    if (now === undefined || String(now.ino) !== ino) {
      this.#overtaken(path);
      return;
    }
    using parent = this.#parent(path);
    if (isDirectory(now.mode)) allowMoving(parent.fd, path, now);
    renameAt(parent.fd, baseOf(path), stagingFd, slot as ByteString);
  }

  #move({ from, path, ino }: Extract<Step, { op: "move" }>): void {
    const now = this.#host.stat(from);
    if (now === undefined || String(now.ino) !== ino) {
      this.#overtaken(from);
      return;
    }
    using parent = this.#parent(from);
    using target = this.#parent(path);
    allowMoving(parent.fd, from, now);
    renameWhereFree(parent.fd, baseOf(from), target.fd, baseOf(path));
  }

  #put(
    step: Extract<Step, { op: "put" }>,
    stagingFd: number,
    now: Stat | undefined,
    staged: Stat,
  ): void {
    const { path, over } = step;
    const slot = slotOf(step);
    if (now !== undefined && String(now.ino) !== over && !this.#force) this.#overtaken(path);
    using parent = this.#parent(path);
    const name = baseOf(path);
    if (isDirectory(staged.mode)) allowMoving(stagingFd, slot, staged);
    if (now === undefined) renameWhereFree(stagingFd, slot, parent.fd, name);
    else if (!isDirectory(now.mode) && !isDirectory(staged.mode)) {
      renameAt(stagingFd, slot, parent.fd, name);
    } else {
      if (isDirectory(now.mode)) allowMoving(parent.fd, path, now);
      exchange(stagingFd, slot, parent.fd, name);
    }
  }

  /** A directory that names can be changed in, also where its mode says no and it is ours. */
  #parent(path: LayerPath): Descriptor {
    const at = parentOf(path);
    const directory = this.#host.tryOpen(at);
    if (directory === undefined) throw overtaken(at);
    if (process.geteuid?.() === 0) return directory;
    const { mode, uid } = statAt(directory.fd, ITSELF);
    if (uid === process.geteuid?.() && (mode & OWNER_ALL) !== OWNER_ALL) {
      chmodAt(directory.fd, ITSELF, (mode & PERMISSION_BITS) | OWNER_ALL);
    }
    return directory;
  }

  #overtaken(path: LayerPath): void {
    if (!this.#force) throw overtaken(path);
  }

  dress({ path, attributes, times }: DressStep): void {
    const now = this.#host.stat(path);
    if (now === undefined) {
      this.#overtaken(path);
      return;
    }
    using parent = this.#host.tryOpen(path === "" ? path : parentOf(path));
    if (parent === undefined) return;
    const name = path === "" ? ITSELF : baseOf(path);
    if (attributes !== undefined) {
      const { mode, uid, gid } = attributes;
      const xattrs = new Map(
        attributes.xattrs.map(([key, value]) => [key as ByteString, Buffer.from(value, "base64")]),
      );
      const all = { mode, uid, gid, xattrs, ...(times ?? timesOf(now)) };
      this.#dressAll(parent.fd, name, now, { path, all });
    } else if (times !== undefined) setTimes(parent.fd, name, times);
  }

  #dressAll(
    dirFd: number,
    name: ByteString,
    now: Stat,
    { path, all }: { path: LayerPath; all: Parameters<AttributeWriter["special"]>[3] },
  ): void {
    if (isSymlink(now.mode)) {
      this.#writer.symlink(dirFd, name, path, all);
    } else if (isDirectory(now.mode) || isRegular(now.mode)) {
      openUp(dirFd, name, now);
      const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
      using file = new Descriptor(openAt(dirFd, name === ITSELF ? HERE : name, flags));
      if (isDirectory(now.mode)) this.#writer.directory(file.fd, path, all, false);
      else this.#writer.file(file.fd, path, all, -1);
    } else this.#writer.special(dirFd, name, path, all);
  }
}

const HERE = bytesOf(".");

function slotOf({ slot }: { readonly slot: string }): ByteString {
  return slot as ByteString;
}

/** A file of ours that we may not read can't be opened to be changed. */
function openUp(dirFd: number, name: ByteString, { mode, uid }: Stat): void {
  if (process.geteuid?.() === 0 || uid !== process.geteuid?.()) return;
  const needed = isDirectory(mode) ? 0o500 : 0o400;
  if ((mode & needed) !== needed) chmodAt(dirFd, name, (mode & PERMISSION_BITS) | needed);
}

/** A directory that goes elsewhere gets another "..", which takes permission to write in it. */
function allowMoving(dirFd: number, path: ByteString, { mode, uid }: Stat): void {
  if (process.geteuid?.() === 0 || uid !== process.geteuid?.()) return;
  if ((mode & 0o200) !== 0) return;
  chmodAt(dirFd, baseOf(path as LayerPath), (mode & PERMISSION_BITS) | 0o200);
}

function overtaken(path: LayerPath): EngineError {
  return new EngineError(
    "IN_USE",
    `Cannot write "${textOf(path)}": it was changed just now by somebody else; apply again with --force to go on`,
  );
}

/** File systems without renameat2's flags answer EINVAL; that nothing stands there was seen. */
function renameWhereFree(dirFd: number, name: ByteString, toFd: number, to: ByteString): void {
  try {
    renameAt(dirFd, name, toFd, to, RENAME_NOREPLACE);
  } catch (error) {
    if (!isFsError(error, errno.EINVAL)) throw error;
    renameAt(dirFd, name, toFd, to);
  }
}

function exchange(dirFd: number, name: ByteString, toFd: number, to: ByteString): void {
  try {
    renameAt(dirFd, name, toFd, to, RENAME_EXCHANGE);
  } catch (error) {
    if (!isFsError(error, errno.EINVAL)) throw error;
    renameAt(toFd, to, dirFd, `${name}-old` as ByteString);
    renameAt(dirFd, name, toFd, to);
  }
}

function timesOf({ mtimeSec, mtimeNsec, atimeSec, atimeNsec }: Stat): JournalTimes {
  return { mtimeSec, mtimeNsec, atimeSec, atimeNsec };
}

/** A directory of somebody else in which we may write keeps the time of that. */
function setTimes(dirFd: number, name: ByteString, times: JournalTimes): void {
  try {
    utimensAt(dirFd, name, { ...times, atimeSec: 0, atimeNsec: UTIME_OMIT });
  } catch (error) {
    if (!isFsError(error, errno.EPERM)) throw error;
  }
}

/** What a crash left in a directory of which no journal tells. True when there was something. */
export function removeLeftovers(host: HostDirectory, names: readonly Name[]): boolean {
  const left = names.filter((name) => tryStatAt(host.fd, name) !== undefined);
  for (const name of left) removeTree(host.fd, name);
  return left.length > 0;
}
