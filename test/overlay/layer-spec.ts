// What a test's layers hold, as plain values: built into memory layers for the overlay, and merged
// naively (as archives are extracted one over another) for the model. Random ones for fast-check.

import fc from "fast-check";
import {
  type LayerNode,
  type MemoryDisk,
  type MemoryLayer,
  memoryDisk,
  memoryLayer,
  type NewInode,
  type UpperLayer,
} from "../../src/layer/index.js";
import { type ByteString, bytesOf, type Name } from "../../src/path.js";
import { O_RDWR } from "../../src/sys/index.js";

/** One name of one layer. `group`: names of a layer with the same group are one file. */
export type Spec =
  | {
      readonly kind: "directory";
      readonly mode: number;
      readonly opaque: boolean;
      readonly children: ReadonlyMap<string, Spec>;
    }
  | {
      readonly kind: "file";
      readonly mode: number;
      readonly content: string;
      readonly group: number | undefined;
    }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "fifo"; readonly mode: number }
  | { readonly kind: "whiteout" };

export type DirectorySpec = Extract<Spec, { kind: "directory" }>;

/** The names all tests use: few, so that layers meet. */
export const NAMES = ["a", "b", "c", "d"] as const;

const name = fc.constantFrom(...NAMES);
const mode = fc.constantFrom(0o755, 0o700, 0o644, 0o2775);

const file = fc.record({
  kind: fc.constant("file" as const),
  mode,
  content: fc.string({ maxLength: 6 }),
  group: fc.option(fc.integer({ min: 0, max: 1 }), { nil: undefined }),
});
const symlink = fc.record({ kind: fc.constant("symlink" as const), target: name });
const fifo = fc.record({ kind: fc.constant("fifo" as const), mode });
const whiteout = fc.constant({ kind: "whiteout" as const });

function directory(depth: number): fc.Arbitrary<DirectorySpec> {
  const leaf: fc.Arbitrary<Spec> = fc.oneof(
    { weight: 4, arbitrary: file },
    { weight: 1, arbitrary: symlink },
    { weight: 1, arbitrary: fifo },
    { weight: 2, arbitrary: whiteout },
  );
  const child: fc.Arbitrary<Spec> =
    depth === 0
      ? leaf
      : fc.oneof({ weight: 1, arbitrary: leaf }, { weight: 1, arbitrary: directory(depth - 1) });
  return fc.record({
    kind: fc.constant("directory" as const),
    mode,
    opaque: fc.nat(5).map((roll) => roll === 0),
    children: fc
      .uniqueArray(fc.tuple(name, child), { maxLength: 4, selector: ([key]) => key })
      .map((entries) => new Map(entries)),
  });
}

/** A random layer: its root is never opaque. */
export const layerSpec: fc.Arbitrary<DirectorySpec> = directory(2).map((root) => ({
  ...root,
  opaque: false,
}));

/** The layer that a spec says. */
export function buildLayer(spec: DirectorySpec, disk: MemoryDisk = memoryDisk()): MemoryLayer {
  const upper = memoryLayer({ disk });
  fillLayer(upper, spec);
  return upper.freeze();
}

/** Makes an empty upper what the spec says. */
export function fillLayer(upper: UpperLayer, spec: DirectorySpec): void {
  upper.setattr(upper.root, { mode: spec.mode });
  fill(upper, upper.root, spec, new Map());
}

function fill(
  upper: UpperLayer,
  parent: LayerNode,
  spec: DirectorySpec,
  groups: Map<number, LayerNode>,
): void {
  for (const [key, child] of spec.children)
    addChild(upper, parent, bytesOf(key) as Name, child, groups);
}

function addChild(
  upper: UpperLayer,
  parent: LayerNode,
  key: Name,
  child: Spec,
  groups: Map<number, LayerNode>,
): void {
  switch (child.kind) {
    case "whiteout":
      upper.remove(parent, key, "absent", true);
      return;
    case "directory": {
      const node = upper.create(parent, key, newInode("directory", child.mode), "absent");
      upper.setattr(node, { mode: child.mode });
      if (child.opaque) upper.mark(node, { opaque: true });
      fill(upper, node, child, groups);
      return;
    }
    case "symlink": {
      const target = bytesOf(child.target);
      upper.create(parent, key, { ...newInode("symlink", 0o777), target }, "absent");
      return;
    }
    case "fifo": {
      const node = upper.create(parent, key, newInode("fifo", child.mode), "absent");
      upper.setattr(node, { mode: child.mode });
      return;
    }
    case "file": {
      const known = child.group === undefined ? undefined : groups.get(child.group);
      if (known !== undefined) {
        upper.link(known, parent, key, "absent");
        return;
      }
      const made = upper.createOpen(parent, key, newInode("file", child.mode), "absent", O_RDWR);
      const bytes = Buffer.from(child.content, "utf8");
      made.file.write(bytes, 0, bytes.length, 0);
      made.file.close();
      upper.setattr(made.node, { mode: child.mode });
      upper.setxattr(made.node, bytesOf("user.born"), bytes, 0);
      if (child.group !== undefined) groups.set(child.group, made.node);
    }
  }
}

/** A new inode of root's. */
export function newInode(
  type: NewInode["type"],
  permissions: number,
  target?: ByteString,
): NewInode {
  const inode = { type, mode: permissions, umask: 0o022, uid: 0, gid: 0 };
  return target === undefined ? inode : { ...inode, target };
}
