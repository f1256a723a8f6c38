// Mount points that a stage lacks: they stand in the upper before the runtime looks, and are taken
// away again, so that a layer has none of them; times of the directories that they lay in included.

import type { DiffEntry, FindableNode } from "../../layer/index.js";
import { baseOf, bytesOf, componentsOf, type LayerPath, parentOf, ROOT_PATH } from "../../path.js";
import {
  AT_FDCWD,
  Descriptor,
  futimens,
  isDirectory,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  openAt,
  readDirents,
  rmdirAt,
  type Stat,
  statFd,
  tryStatAt,
  unlinkAt,
} from "../../sys/index.js";
import { CopyPlan } from "./copy-plan.js";
import { findPath, nodeAt } from "./find-path.js";

/** A place that something is to be mounted on. */
export interface WantedPoint {
  /** Absolute. */
  readonly path: string;
  readonly point: "directory" | "file";
}

/** Something that was put into the upper. */
interface MadePoint {
  /** The stage has nothing there. */
  readonly isNew: boolean;
  /** As it was before anybody used it. */
  readonly stat: Stat | undefined;
}

const DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
const POINT_MODE = 0o644;

/** The mount points of one RUN. */
export class MountPoints {
  readonly #plan: CopyPlan;
  readonly #below: FindableNode;
  /** What was put into the upper, deepest last. */
  readonly #made = new Map<LayerPath, MadePoint>();

  constructor(below: FindableNode, wanted: readonly WantedPoint[], now: Date) {
    this.#below = below;
    const owner = { uid: 0, gid: 0 };
    this.#plan = new CopyPlan(below, { owner, mode: undefined, now });
    for (const { path: text, point } of wanted) {
      const { path, node } = findPath(below, bytesOf(text), { followLast: true, outside: "cut" });
      if (node !== undefined || path === ROOT_PATH) continue;
      if (point === "directory") this.#plan.makeDirectory(path);
      else {
        this.#plan.placeContent(path, { bytes: Buffer.alloc(0), mode: POINT_MODE, mtime: now });
      }
    }
  }

  *entries(): Generator<DiffEntry> {
    for (const entry of this.#plan.entries()) {
      const isNew = nodeAt(this.#below, entry.path) === undefined;
      this.#made.set(entry.path, { isNew, stat: undefined });
      yield entry;
    }
  }

  /** Notes how things are in the upper before anybody uses it. */
  remember(upper: string): void {
    using root = new Descriptor(openAt(AT_FDCWD, bytesOf(upper), O_RDONLY | O_DIRECTORY));
    for (const [path, { isNew }] of this.#made) {
      this.#made.set(path, { isNew, stat: statBelow(root.fd, path) });
    }
  }

  /** Takes away what is still as it was made, and nothing else. Throws FsError. */
  remove(upper: string): void {
    using root = new Descriptor(openAt(AT_FDCWD, bytesOf(upper), O_RDONLY | O_DIRECTORY));
    for (const [path, { isNew, stat: before }] of [...this.#made].reverse()) {
      const now = statBelow(root.fd, path);
      if (now === undefined || before === undefined || now.ino !== before.ino) continue;
      // A directory of the stage stands here for the points in it: it goes if nobody touched it.
      if (isDirectory(now.mode) ? isNew || sameTimes(now, before) : now.sizeBytes === 0) {
        removeEmpty(root.fd, path, now);
      }
    }
  }
}

function statBelow(rootFd: number, path: LayerPath): Stat | undefined {
  using parent = openBelow(rootFd, parentOf(path));
  return parent === undefined ? undefined : tryStatAt(parent.fd, baseOf(path));
}

/** undefined when a directory on the way is gone. */
function openBelow(rootFd: number, path: LayerPath): Descriptor | undefined {
  let at = new Descriptor(openAt(rootFd, bytesOf("."), DIRECTORY));
  for (const name of componentsOf(path)) {
    const stat = tryStatAt(at.fd, name);
    if (stat === undefined || !isDirectory(stat.mode)) {
      at.close();
      return undefined;
    }
    const next = new Descriptor(openAt(at.fd, name, DIRECTORY));
    at.close();
    at = next;
  }
  return at;
}

function sameTimes(now: Stat, before: Stat): boolean {
  return (
    now.mtimeSec === before.mtimeSec &&
    now.mtimeNsec === before.mtimeNsec &&
    now.mode === before.mode &&
    now.uid === before.uid &&
    now.gid === before.gid
  );
}

/** Removes it unless something is in it; its directory keeps its times. */
function removeEmpty(rootFd: number, path: LayerPath, stat: Stat): void {
  using parent = openBelow(rootFd, parentOf(path));
  if (parent === undefined) return;
  const times = statFd(parent.fd);
  if (!isDirectory(stat.mode)) unlinkAt(parent.fd, baseOf(path));
  else {
    {
      using own = new Descriptor(openAt(parent.fd, baseOf(path), DIRECTORY));
      if (readDirents(own.fd).length > 0) return;
    }
    rmdirAt(parent.fd, baseOf(path));
  }
  futimens(parent.fd, times);
}
