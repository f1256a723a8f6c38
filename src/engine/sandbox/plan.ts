// What is to be done to a directory so that it becomes the sandbox's merged tree: found by walking what
// the sandbox has changed, and no more. Nothing is changed here; staging and carrying out are
// stage.ts and steps.ts. Two kinds of paths: those of the directory now ("from"), those to be ("path").

import type { MergedTreeNode } from "../../overlay/index.js";
import { compareBytes, joinPath, type LayerPath, type Name, parentOf } from "../../path.js";
import { isCharacterDevice, isDirectory, PERMISSION_BITS, type Stat } from "../../sys/index.js";
import type { Change } from "../diff.js";
import { mtimeOf } from "./base-record.js";
import { type Conflict, Watch, type Watched } from "./conflicts.js";
import type { HostDirectory } from "./host-directory.js";

/** Something that gets a name: a new file, another name of one that is there, or a moved directory. */
export interface Put {
  readonly path: LayerPath;
  readonly node: MergedTreeNode;
  readonly source: "new" | "link" | "moved";
  /** Where a linked file, or a moved directory, is now. */
  readonly from?: LayerPath;
  /** What it takes the place of. */
  readonly over?: bigint;
}

/** Attributes to be set on what is there, or will be. */
export interface Dress {
  readonly path: LayerPath;
  readonly node: MergedTreeNode;
  /** False: owner, mode and xattrs stay as others have set them. */
  readonly all: boolean;
  /** False: somebody else changed it, too. */
  readonly times: boolean;
}

export interface Plan {
  readonly puts: readonly Put[];
  /** Names that go, with the inode that they have. */
  readonly removals: readonly { readonly path: LayerPath; readonly ino: bigint }[];
  readonly dresses: readonly Dress[];
  readonly changes: readonly Change[];
  readonly conflicts: readonly Conflict[];
}

export interface PlanInput extends Watched {
  readonly merged: MergedTreeNode;
  /** A name in the root that is no part of the directory. */
  readonly staging: Name;
  /** It was there before, and its removal gave the root another time. */
  readonly hadStaging: boolean;
}

/** A directory of the merged tree that has changes. `from`: undefined when it is new. */
interface Frame {
  readonly path: LayerPath;
  readonly node: MergedTreeNode;
  readonly from: LayerPath | undefined;
  /** Something in it gets or loses its name. */
  touched: boolean;
}

/** Throws FsError. */
export function planApply(input: PlanInput): Plan {
  using watch = new Watch(input);
  return new Planner(input, watch).plan();
}

class Planner {
  readonly #input: PlanInput;
  readonly #host: HostDirectory;
  readonly #watch: Watch;
  /** A file with several names was changed: any directory may have one of them. */
  readonly #everything: boolean;
  /** Directories that the merged tree shows somewhere. */
  readonly #kept = new Set<bigint>();
  readonly #puts: Put[] = [];
  readonly #removals: { path: LayerPath; ino: bigint }[] = [];
  readonly #dresses: Dress[] = [];
  readonly #changes = new Map<LayerPath, Change>();
  readonly #dressed = new Set<bigint>();
  /** New files with several names, by what makes them one. */
  readonly #groups = new Map<string, { put: Put; now: Stat | undefined }[]>();

  constructor(input: PlanInput, watch: Watch) {
    this.#input = input;
    this.#host = input.host;
    this.#watch = watch;
    this.#everything = input.merged.hasLinkCopies;
  }

  plan(): Plan {
    this.#findKept();
    const root: Frame = {
      ...{ path: "" as LayerPath, node: this.#input.merged, from: "" as LayerPath, touched: true },
    };
    const frames: Frame[] = [];
    const waiting = [root];
    for (let frame = waiting.pop(); frame !== undefined; frame = waiting.pop()) {
      frames.push(frame);
      waiting.push(...this.#inside(frame).reverse());
    }
    for (const members of this.#groups.values()) this.#putGroup(members);
    const touched = new Set(this.#puts.map(({ path }) => parentOf(path)));
    for (const frame of frames) {
      if (touched.has(frame.path)) frame.touched = true;
      this.#dressDirectory(frame);
    }
    return {
      puts: this.#puts.sort((a, b) => depthOf(a.path) - depthOf(b.path)),
      removals: this.#removals,
      dresses: this.#dresses,
      changes: [...this.#changes.values()].sort((a, b) => compareBytes(a.path, b.path)),
      conflicts: [...this.#watch.found].map(([path, kind]) => ({ path, kind })),
    };
  }

  #findKept(): void {
    const waiting = [this.#input.merged];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      const { baseIno } = node;
      if (baseIno !== undefined) this.#kept.add(baseIno);
      for (const child of node.children()) if (this.#isEntered(child)) waiting.push(child);
    }
  }

  #isEntered(node: MergedTreeNode): boolean {
    return isDirectory(node.stat().mode) && (this.#everything || !node.isBase);
  }

  /** All that happens in one directory; gives those in it that have changes. */
  #inside(frame: Frame): Frame[] {
    const inner: Frame[] = [];
    const occupied = new Set<Name>();
    for (const node of frame.node.children()) {
      const { name } = node;
      const path = joinPath(frame.path, name);
      if (frame.path === "" && name === this.#input.staging) continue;
      const at = frame.from === undefined ? undefined : joinPath(frame.from, name);
      const now = at === undefined ? undefined : this.#host.stat(at);
      occupied.add(name);
      if (node.isBase && (!this.#isEntered(node) || now?.ino !== node.baseIno)) continue;
      if (isDirectory(node.stat().mode)) {
        inner.push(this.#directory({ path, node, at, now }));
      } else this.#file({ path, node, at, now });
    }
    if (frame.from !== undefined) this.#removeOthers(frame, frame.from, occupied);
    return inner;
  }

  #directory({ path, node, at, now }: Spot): Frame {
    const { baseIno } = node;
    const isThere =
      now !== undefined &&
      isDirectory(now.mode) &&
      (baseIno === undefined ? !this.#kept.has(now.ino) : baseIno === now.ino);
    // An opaque directory in the place of another: that one is emptied, and goes on.
    if (isThere) return { path, node, from: at, touched: false };
    if (node.lacksLower) this.#watch.add(path, "is gone");
    const from = baseIno === undefined ? undefined : this.#placeOf(baseIno);
    if (baseIno !== undefined && from === undefined) this.#watch.add(path, "is gone");
    this.#takePlace(at, now);
    this.#put(
      { path, node, source: from === undefined ? "new" : "moved", ...given({ from }) },
      now,
    );
    this.#tell(now === undefined ? "A" : "C", path);
    return { path, node, from, touched: true };
  }

  #file({ path, node, at, now }: Spot): void {
    const { baseIno } = node;
    if (baseIno !== undefined && now?.ino === baseIno) {
      this.#dressFile(path, node, at ?? path, now);
      return;
    }
    const from = baseIno === undefined ? undefined : this.#placeOf(baseIno);
    const there = from === undefined ? undefined : this.#host.stat(from);
    const isWhole = there !== undefined && there.sizeBytes === node.stat().sizeBytes;
    if (from !== undefined && isWhole) {
      this.#watch.expectBase(from, there);
      this.#takePlace(at, now);
      this.#put({ path, node, source: "link", from }, now);
      this.#tell(now === undefined ? "A" : "C", path);
      if (!this.#dressed.has(there.ino)) this.#dresses.push({ path, node, all: true, times: true });
      this.#dressed.add(there.ino);
      return;
    }
    const put: Put = { path, node, source: "new", ...overOf(this.#kept, now) };
    const key = node.hardlinkKey() ?? `path:${path}`;
    const members = this.#groups.get(key) ?? [];
    this.#groups.set(key, [...members, { put, now }]);
    if (at !== undefined) this.#spots.set(path, at);
  }

  /** Where names that are to be now lie in the directory. */
  readonly #spots = new Map<LayerPath, LayerPath>();

  /** All names of a file, unless all of them are in the directory already as they are to be. */
  #putGroup(members: readonly { put: Put; now: Stat | undefined }[]): void {
    const [first] = members;
    if (first === undefined) return;
    const areOne = members.every(({ now }) => now !== undefined && now.ino === first.now?.ino);
    const isThere =
      areOne &&
      first.now?.nlink === members.length &&
      this.#watch.has(this.#spots.get(first.put.path) ?? first.put.path, first.put.node);
    if (isThere) return;
    for (const { put, now } of members) {
      const at = this.#spots.get(put.path);
      this.#takePlace(at, now);
      this.#put(put, now);
      this.#tell(now === undefined ? "A" : "C", put.path);
    }
  }

  #tell(kind: Change["kind"], path: LayerPath): void {
    if (!this.#changes.has(path)) this.#changes.set(path, { kind, path });
  }

  #put(put: Put, now: Stat | undefined): void {
    this.#puts.push({ ...put, ...overOf(this.#kept, now) });
  }

  /** Something of the sandbox's is to stand here. */
  #takePlace(at: LayerPath | undefined, now: Stat | undefined): void {
    if (at === undefined) return;
    if (now !== undefined && this.#kept.has(now.ino) && isDirectory(now.mode)) return;
    if (now !== undefined && isDirectory(now.mode)) this.#watch.expectTree(at, this.#kept);
    else this.#watch.expectBase(at, now);
  }

  /** The place of a file or directory that others did not move. */
  #placeOf(ino: bigint): LayerPath | undefined {
    return this.#input.base.pathsOf(ino).find((path) => this.#host.stat(path)?.ino === ino);
  }

  #removeOthers(frame: Frame, from: LayerPath, occupied: ReadonlySet<Name>): void {
    for (const name of this.#host.names(from)) {
      const at = joinPath(from, name);
      if (occupied.has(name) || (from === "" && name === this.#input.staging)) continue;
      const now = this.#host.stat(at);
      // A device 0:0 is hidden from the sandbox, which so can't have removed it.
      if (now === undefined || isHidden(now)) continue;
      frame.touched = true;
      this.#tell("D", joinPath(frame.path, name));
      // It is shown elsewhere: whoever shows it takes it.
      if (isDirectory(now.mode) && this.#kept.has(now.ino)) continue;
      if (isDirectory(now.mode)) this.#watch.expectTree(at, this.#kept);
      else this.#watch.expectBase(at, now);
      this.#removals.push({ path: at, ino: now.ino });
    }
  }

  #dressFile(path: LayerPath, node: MergedTreeNode, at: LayerPath, now: Stat): void {
    if (this.#dressed.has(now.ino)) return;
    this.#dressed.add(now.ino);
    const there = this.#watch.node(at);
    if (there !== undefined && !this.#differs(there, node, now) && sameMtime(now, node)) return;
    this.#watch.expectBase(at, now);
    this.#dresses.push({ path, node, all: true, times: true });
    this.#tell("C", path);
  }

  #differs(there: { xattrs(): ReadonlyMap<string, Uint8Array> }, node: MergedTreeNode, now: Stat) {
    const { mode, uid, gid } = node.stat();
    if (((mode ^ now.mode) & PERMISSION_BITS) !== 0 || uid !== now.uid || gid !== now.gid) {
      return true;
    }
    const [mine, theirs] = [node.xattrs(), there.xattrs()];
    if (mine.size !== theirs.size) return true;
    return [...mine].some(([name, value]) => {
      const other = theirs.get(name);
      return other === undefined || Buffer.compare(value, other) !== 0;
    });
  }

  /** What both sides may change of a directory is decided field by field: names are no conflict. */
  #dressDirectory({ path, node, from, touched }: Frame): void {
    if (from === undefined) {
      this.#dresses.push({ path, node, all: true, times: true });
      return;
    }
    const now = this.#host.stat(from);
    const there = this.#watch.node(from);
    if (now === undefined || there === undefined || (node.isBase && !touched)) return;
    const before = this.#input.base.get(from);
    const wanted = node.stat();
    const isWanted = !this.#differs(there, node, now);
    const hostChanged = before !== undefined && !this.#watch.hasSameAttributes(from, before, now);
    const sandboxChanged =
      before === undefined
        ? !isWanted
        : before.mode !== wanted.mode ||
          before.uid !== wanted.uid ||
          before.gid !== wanted.gid ||
          before.xattrs !== this.#input.fingerprints.xattrs(node);
    if (!isWanted && sandboxChanged && hostChanged) this.#watch.add(from, "changed");
    // Who may not write in it must open it first: then it is to be shut again.
    const isShut = touched && (wanted.mode & 0o700) !== 0o700;
    const all = isWanted ? isShut : sandboxChanged;
    const isOurs = path === "" && this.#input.hadStaging;
    const times = isOurs || before === undefined || before.mtime === mtimeOf(now);
    if (!all && !touched && (!times || sameMtime(now, node))) return;
    this.#dresses.push({ path, node, all, times });
    if (path !== "" && (!isWanted || !sameMtime(now, node))) this.#tell("C", path);
  }
}

/** A name of the merged tree: `at` is the same in the directory, if its directory is there. */
interface Spot {
  readonly path: LayerPath;
  readonly node: MergedTreeNode;
  readonly at: LayerPath | undefined;
  readonly now: Stat | undefined;
}

/** A directory that is shown elsewhere is gone when its place is taken. */
function overOf(kept: ReadonlySet<bigint>, now: Stat | undefined): { over?: bigint } {
  if (now === undefined || (isDirectory(now.mode) && kept.has(now.ino))) return {};
  return { over: now.ino };
}

function given({ from }: { from: LayerPath | undefined }): { from?: LayerPath } {
  return from === undefined ? {} : { from };
}

function depthOf(path: LayerPath): number {
  return path === "" ? 0 : path.split("/").length;
}

function isHidden({ mode, rdevMajor, rdevMinor }: Stat): boolean {
  return isCharacterDevice(mode) && rdevMajor === 0 && rdevMinor === 0;
}

function sameMtime(now: Stat, node: MergedTreeNode): boolean {
  return mtimeOf(now) === mtimeOf(node.stat());
}
