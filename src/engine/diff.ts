// diff: what a container changed of its image, or one image of another, as docker's A, C and D lines.

import { changeKinds, type DiffEntry } from "../layer/index.js";
import type { Node, Overlay } from "../overlay/index.js";
import { componentsOf, type LayerPath, parentOf } from "../path.js";
import type { Container, Store } from "../store/index.js";
import { paused } from "./paused.js";
import { sandboxChanges } from "./sandbox/apply.js";
import { requireApplied } from "./sandbox/journal.js";
import { openBase, openContainer, openImage, openUppers } from "./stack.js";

/** A: added. C: changed, itself or something below it. D: deleted. */
export type ChangeKind = "A" | "C" | "D";

export interface Change {
  readonly kind: ChangeKind;
  /** Below the root of the tree, which is "". */
  readonly path: LayerPath;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT. */
export async function diff(store: Store, idOrName: string): Promise<Change[]> {
  const container = await store.containers.get(idOrName);
  await using _lock = await store.containers.lock(container.id).acquire("exclusive");
  if (container.directory !== undefined) {
    await requireApplied(store, container, "diff");
    return [...(await sandboxChanges(store, container)).changes];
  }
  await using _pause = await paused(store, container);
  const { frozen } = await store.containers.reread(container);
  const base = await openBase(store, container);
  try {
    const merged = await openContainer(store, container);
    try {
      if (frozen.length === 0) return [...changesOf(base, merged)].sort(byPath);
      const told = new Set(merged.changes());
      for (const [n] of frozen.entries())
        await tell(store, container, frozen.slice(0, n + 1), told);
      return [...changesOfAll(base, merged, told)].sort(byPath);
    } finally {
      merged.close();
    }
  } finally {
    base.close();
  }
}

/** Adds the changes of the last of some frozen uppers to those of the others. */
async function tell(
  store: Store,
  container: Container,
  uppers: readonly string[],
  told: Set<DiffEntry>,
): Promise<void> {
  const overlay = await openUppers(store, container, uppers);
  try {
    for (const entry of overlay.changes()) told.add(entry);
  } finally {
    overlay.close();
  }
}

/** Of several uppers: what one changed, another may have taken back. */
function* changesOfAll(
  base: Overlay,
  merged: Overlay,
  told: Iterable<DiffEntry>,
): Generator<Change> {
  const paths = new Set<LayerPath>();
  for (const { kind, path } of told) {
    if (kind !== "opaque") paths.add(path);
    else for (const hidden of hiddenBy(base, path, new Set())) paths.add(hidden.path);
  }
  for (const path of paths) {
    const parent = nodeAt(merged, parentOf(path));
    if (path === "" || parent?.isDirectory !== true) continue;
    const before = nodeAt(base, path);
    const after = nodeAt(merged, path);
    if (before !== undefined) yield { kind: after === undefined ? "D" : "C", path };
    else if (after !== undefined) yield { kind: "A", path };
  }
}

/**
 * What the second image has, or has not, that the first is without or has. Both are unpacked. Throws
 * EngineError NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS; FsError.
 */
export async function diffImages(store: Store, first: string, second: string): Promise<Change[]> {
  await using _lock = await store.lock.acquire("shared");
  const base = await openResolved(store, first);
  try {
    const changed = await openResolved(store, second);
    try {
      return [...changeKinds(base.tree(), changed.tree())].sort(byPath);
    } finally {
      changed.close();
    }
  } finally {
    base.close();
  }
}

async function openResolved(store: Store, name: string): Promise<Overlay> {
  const image = await store.resolve(name);
  await store.unpack(image);
  return await openImage(store, image.chain);
}

function byPath(a: Change, b: Change): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** The root itself is no line: docker has none for it. */
function* changesOf(base: Overlay, merged: Overlay): Generator<Change> {
  const seen = new Set<LayerPath>();
  const opaque: LayerPath[] = [];
  for (const entry of merged.changes()) {
    if (entry.path === "" && entry.kind === "entry") continue;
    if (entry.kind === "opaque") opaque.push(entry.path);
    else yield* changeOf(base, entry, seen);
  }
  for (const path of opaque) yield* hiddenBy(base, path, seen);
}

function* changeOf(base: Overlay, entry: DiffEntry, seen: Set<LayerPath>): Generator<Change> {
  const below = nodeAt(base, entry.path);
  if (entry.kind === "whiteout") {
    if (below !== undefined) yield { kind: "D", path: entry.path };
    return;
  }
  seen.add(entry.path);
  yield { kind: below === undefined ? "A" : "C", path: entry.path };
}

/** The names of the image that an opaque directory hides and does not have itself. */
function* hiddenBy(base: Overlay, path: LayerPath, seen: Set<LayerPath>): Generator<Change> {
  const directory = nodeAt(base, path);
  if (directory === undefined || !directory.isDirectory) return;
  for (const { name } of base.opendir(directory).entries) {
    const child = (path === "" ? name : `${path}/${name}`) as LayerPath;
    if (name !== "." && name !== ".." && !seen.has(child)) yield { kind: "D", path: child };
  }
}

function nodeAt(tree: Overlay, path: LayerPath): Node | undefined {
  let node: Node | undefined = tree.root;
  for (const name of componentsOf(path)) {
    if (node === undefined || !node.isDirectory) return undefined;
    node = tree.lookup(node, name);
  }
  return node;
}
