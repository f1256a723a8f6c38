// Whole trees as plain values to compare: of an overlay through its operations, of any TreeNode,
// of the model. A path maps to one line of everything that matters.

import { strictEqual } from "node:assert/strict";
import type { TreeNode } from "../../src/layer/tree.js";
import type { Node, Overlay } from "../../src/overlay/index.js";
import { bytesOfBuffer, type Name } from "../../src/path.js";
import {
  direntType,
  isDirectory,
  isRegular,
  isSymlink,
  O_RDONLY,
  type Stat,
} from "../../src/sys/index.js";
import type { ModelInode } from "./model.js";
import { namesIn } from "./worlds.js";

/** By path ("" is the root). */
export type Snapshot = Record<string, string>;

export interface SnapshotOptions {
  /** Link counts too: not where a crash or a layer may have left them too high. */
  readonly links?: boolean;
  /** mtimes too. */
  readonly times?: boolean;
}

const KINDS: Record<number, string> = { 4: "directory", 8: "file", 10: "symlink", 1: "fifo" };

interface Seen {
  readonly kind: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly mtime: string;
  readonly content: string;
  readonly xattrs: readonly string[];
  /** Equal for names of one inode. */
  readonly identity: unknown;
}

/** Hard links are told by the first path of the inode. */
class Recorder {
  readonly snapshot: Snapshot = {};
  readonly #first = new Map<unknown, string>();
  readonly #options: SnapshotOptions;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  add(path: string, seen: Seen): void {
    const first = this.#first.get(seen.identity) ?? path;
    this.#first.set(seen.identity, first);
    const { links = false, times = false } = this.#options;
    const parts = [
      seen.kind,
      seen.mode.toString(8),
      `${seen.uid}:${seen.gid}`,
      ...(links && seen.kind !== "directory" ? [`links ${seen.nlink}`] : []),
      ...(times ? [seen.mtime] : []),
      ...[...seen.xattrs].sort(),
      JSON.stringify(seen.content),
      `= ${first}`,
    ];
    this.snapshot[path] = parts.join(" ");
  }
}

function seenStat(stat: Stat): Pick<Seen, "kind" | "mode" | "uid" | "gid" | "nlink" | "mtime"> {
  return {
    kind: KINDS[direntType(stat.mode)] ?? "?",
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    nlink: stat.nlink,
    mtime: `${stat.mtimeSec}.${stat.mtimeNsec}`,
  };
}

/** The tree as the overlay's operations show it; checks on the way that listings and stats agree. */
export function snapshotOverlay(overlay: Overlay, options: SnapshotOptions = {}): Snapshot {
  const recorder = new Recorder(options);
  const walk = (node: Node, path: string): void => {
    overlay.reference(node);
    const stat = overlay.stat(node);
    strictEqual(stat.ino, node.ino, "st_ino is the node's number");
    recorder.add(path, {
      ...seenStat(stat),
      content: contentOf(overlay, node, stat),
      xattrs: overlay
        .listxattr(node)
        .map((name) => `${name}=${overlay.getxattr(node, name)?.toString("utf8")}`),
      identity: isDirectory(stat.mode) ? node : node.ino,
    });
    if (node.isDirectory) walkDirectory(overlay, node, path, walk);
    overlay.forget(node);
  };
  walk(overlay.root, "");
  return recorder.snapshot;
}

function walkDirectory(
  overlay: Overlay,
  node: Node,
  path: string,
  walk: (node: Node, path: string) => void,
): void {
  const listing = overlay.opendir(node);
  const inos = new Map(listing.entries.map(({ name, ino }) => [name as string, ino]));
  for (const name of namesIn(listing).sort() as Name[]) {
    const child = overlay.lookup(node, name);
    if (child === undefined) throw new Error(`listed, but not found: ${path}/${name}`);
    strictEqual(inos.get(name), child.ino, `d_ino of ${path}/${name} is its st_ino`);
    walk(child, `${path}/${name}`);
  }
  listing.close();
}

function contentOf(overlay: Overlay, node: Node, stat: Stat): string {
  if (isSymlink(stat.mode)) return overlay.readlink(node);
  if (!isRegular(stat.mode)) return "";
  const handle = overlay.open(node, O_RDONLY);
  const bytes = Buffer.alloc(stat.sizeBytes + 1);
  const length = handle.read(bytes, 0, bytes.length, 0);
  handle.close();
  return bytesOfBuffer(bytes.subarray(0, length));
}

/** Any tree to walk. */
export function snapshotTree(root: TreeNode, options: SnapshotOptions = {}): Snapshot {
  const recorder = new Recorder(options);
  const walk = (node: TreeNode, path: string): void => {
    const stat = node.stat();
    recorder.add(path, {
      ...seenStat(stat),
      content: treeContent(node, stat),
      xattrs: [...node.xattrs()].map(([name, value]) => `${name}=${Buffer.from(value).toString()}`),
      identity: node.hardlinkKey() ?? node,
    });
    if (!isDirectory(stat.mode)) return;
    for (const child of node.children()) walk(child, `${path}/${child.name}`);
  };
  walk(root, "");
  return recorder.snapshot;
}

function treeContent(node: TreeNode, stat: Stat): string {
  if (isSymlink(stat.mode)) return node.readlink();
  if (!isRegular(stat.mode)) return "";
  const file = node.open();
  const bytes = Buffer.alloc(stat.sizeBytes + 1);
  const length = file.read(bytes, 0, bytes.length, 0);
  file.close();
  return bytesOfBuffer(bytes.subarray(0, length));
}

/** The model; its times are not told. */
export function snapshotModel(root: ModelInode, options: SnapshotOptions = {}): Snapshot {
  const recorder = new Recorder(options);
  const walk = (inode: ModelInode, path: string): void => {
    recorder.add(path, {
      kind: inode.kind,
      mode: inode.mode & 0o7777,
      uid: inode.uid,
      gid: inode.gid,
      nlink: inode.nlink,
      mtime: "",
      content: inode.kind === "symlink" ? inode.target : bytesOfBuffer(inode.content),
      xattrs: [...inode.xattrs].map(([name, value]) => `${name}=${value}`),
      identity: inode,
    });
    for (const name of [...inode.children.keys()].sort()) {
      const child = inode.children.get(name);
      if (child !== undefined) walk(child, `${path}/${name}`);
    }
  };
  walk(root, "");
  return recorder.snapshot;
}
