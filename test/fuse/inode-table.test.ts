// The table of the kernel's inodes, with far more files than it keeps awake: beside one that keeps them
// all, over equal trees of memory, under the same requests.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isFsError } from "../../src/errors.js";
import { type DormantInode, DormantInodes } from "../../src/fuse/session/dormant-inodes.js";
import { type FuseInode, InodeTable } from "../../src/fuse/session/inode-table.js";
import { memoryLayer, type NewInode } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import type { Name } from "../../src/path.js";

const DIRECTORIES = 3;
const FILES = 40;
const AWAKE = 10;

function inode(type: NewInode["type"]): NewInode {
  return { type, mode: 0o755, umask: 0, uid: 0, gid: 0 };
}

function makeOverlay(): Overlay {
  const lower = memoryLayer();
  for (let directory = 0; directory < DIRECTORIES; directory++) {
    const folder = lower.create(lower.root, `d${directory}` as Name, inode("directory"), "absent");
    for (let file = 0; file < FILES; file++) {
      const node = lower.create(folder, `f${file}` as Name, inode("file"), "absent");
      // Some have another name.
      if (file % 9 === 0) lower.link(node, lower.root, `l${directory}-${file}` as Name, "absent");
    }
  }
  return new Overlay({ stack: [lower.freeze()], upper: memoryLayer() });
}

/** What a session does, and what its kernel remembers. */
class Kernel {
  readonly overlay = makeOverlay();
  readonly table: InodeTable;
  /** Lookups that were not forgotten, by node id. */
  readonly lookups = new Map<number, number>();

  constructor(maxAwake?: number) {
    this.table = new InodeTable(this.overlay, maxAwake);
  }

  #count(found: FuseInode): number {
    found.lookups += 1;
    this.lookups.set(found.nodeId, (this.lookups.get(found.nodeId) ?? 0) + 1);
    return found.nodeId;
  }

  /** The node id of a name; 0 where there is nothing. */
  lookup(directory: number, name: string): number {
    const node = this.overlay.lookup(this.table.get(directory).node, name as Name);
    return node === undefined ? 0 : this.#count(this.table.current(node));
  }

  list(directory: number): unknown[] {
    const handle = this.overlay.opendir(this.table.get(directory).node);
    const ids: unknown[] = [];
    for (const entry of handle.entries) {
      if (entry.name.startsWith(".")) continue;
      const node = this.overlay.lookupEntry(handle.node, entry);
      ids.push(entry.name, node && this.#count(this.table.current(node)));
    }
    handle.close();
    return ids;
  }

  getattr(id: number): unknown {
    const { mode, nlink, uid, ino } = this.overlay.stat(this.table.get(id).node);
    return { mode, nlink, uid, ino };
  }

  change(id: number, uid: number): void {
    this.overlay.setattr(this.table.get(id).node, { uid });
  }

  unlink(directory: number, name: string): void {
    const from = this.table.get(directory);
    this.table.wakeName(from, name as Name);
    this.overlay.unlink(from.node, name as Name);
  }

  rename(directory: number, name: string, to: number, other: string): void {
    const [from, into] = [this.table.get(directory), this.table.get(to)];
    this.table.wakeName(from, name as Name);
    this.table.wakeName(into, other as Name);
    this.overlay.rename(from.node, name as Name, into.node, other as Name);
  }

  forget(id: number): void {
    this.table.forget(id, this.lookups.get(id) ?? 0);
    this.lookups.delete(id);
  }
}

const directory = fc.nat(DIRECTORIES - 1);
const file = fc.nat(FILES - 1);
const requests = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("list" as const), d: directory }),
    fc.record({
      kind: fc.constantFrom("lookup", "getattr", "change", "unlink", "forget"),
      d: directory,
      f: file,
    }),
    fc.record({
      kind: fc.constant("rename" as const),
      d: directory,
      f: file,
      to: directory,
      g: file,
    }),
  ),
  { maxLength: 60 },
);

type Request = {
  readonly kind: string;
  readonly d: number;
  readonly f?: number;
  readonly to?: number;
  readonly g?: number;
};

/** One request, and what came of it; ids are remembered by name as the kernel's dentries are. */
function serve(kernel: Kernel, ids: Map<string, number>, request: Request): unknown {
  const { kind, d, f = 0, to = 0, g = 0 } = request;
  const folder = (n: number): number => {
    const known = ids.get(`d${n}`) ?? kernel.lookup(1, `d${n}`);
    ids.set(`d${n}`, known);
    return known;
  };
  const [from, name] = [folder(d), `f${f}`];
  const id = ids.get(`${from}/${name}`);
  try {
    switch (kind) {
      case "list":
        return kernel.list(from);
      case "lookup": {
        const found = kernel.lookup(from, name);
        if (found !== 0) ids.set(`${from}/${name}`, found);
        return found;
      }
      case "getattr":
        return id === undefined ? undefined : kernel.getattr(id);
      case "change":
        return id === undefined ? undefined : kernel.change(id, f + 1);
      case "unlink":
        return kernel.unlink(from, name);
      case "forget":
        if (id !== undefined) kernel.forget(id);
        return ids.delete(`${from}/${name}`);
      default:
        return kernel.rename(from, name, folder(to), `f${g}`);
    }
  } catch (error) {
    if (!isFsError(error)) throw error;
    return error.errno;
  }
}

test("InodeTable: what it puts to sleep is the same inode when it is asked for", () => {
  fc.assert(
    fc.property(requests, (list) => {
      const [small, large] = [new Kernel(AWAKE), new Kernel()];
      const [ids, others] = [new Map<string, number>(), new Map<string, number>()];
      for (const request of list) {
        deepStrictEqual(serve(small, ids, request), serve(large, others, request));
        small.table.settle();
        deepStrictEqual([...ids], [...others]);
        strictEqual(small.table.size, large.table.size);
      }
      for (const id of [...small.lookups.keys()]) {
        small.forget(id);
        large.forget(id);
      }
      strictEqual(small.table.size, large.table.size);
    }),
    { numRuns: 300 },
  );
});

test("InodeTable: puts files to sleep, and lets go of those that are forgotten", () => {
  const kernel = new Kernel(AWAKE);
  const folder = kernel.lookup(1, "d1");
  for (let round = 0; round < 3; round++) {
    kernel.list(folder);
    kernel.table.settle();
  }
  const children = [...(kernel.overlay.root.children?.values() ?? [])];
  const awake = children.find((node) => node.name === "d1")?.children?.size ?? 0;
  // Five files have two names: they stay.
  ok(awake <= AWAKE, `${awake} of ${FILES} are awake`);
  strictEqual(kernel.table.size, 2 + FILES);
  for (const id of [...kernel.lookups.keys()]) if (id !== folder) kernel.forget(id);
  strictEqual(kernel.table.size, 2);
  throws(() => kernel.table.get(folder + 1), /ESTALE/);
});

test("DormantInodes: keeps what a map keeps", () => {
  const id = fc.integer({ min: 2, max: 20_000 });
  const steps = fc.array(
    fc.record({ id, parentId: fc.integer({ min: 1, max: 3 }), n: fc.nat(2000), kind: fc.nat(3) }),
    { maxLength: 400 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const dormant = new DormantInodes();
      const model = new Map<number, DormantInode>();
      const byName = new Map<string, number>();
      const keyOf = ({ parentId, name }: DormantInode): string => `${parentId}/${name}`;
      for (const { id: one, parentId, n, kind } of list) {
        const name = `\xff${n}`.repeat(1 + (n % 40)) as Name;
        const known = model.get(one);
        if (known === undefined && !byName.has(keyOf({ parentId, name, lookups: 1, flags: 0 }))) {
          const added = { parentId, name, lookups: 1 + (n % 3), flags: n % 4 };
          dormant.add(one, added);
          model.set(one, added);
          byName.set(keyOf(added), one);
        } else if (known !== undefined && kind > 0) {
          const isLeft = kind === 1 && known.lookups > 1;
          const gone = kind === 1 ? dormant.forget(one, 1) : dormant.take(one);
          deepStrictEqual(gone, isLeft ? undefined : known);
          if (isLeft) model.set(one, { ...known, lookups: known.lookups - 1 });
          else model.delete(one);
          if (!isLeft) byName.delete(keyOf(known));
        }
        strictEqual(dormant.size, model.size);
      }
      for (const [one, kept] of model) {
        ok(dormant.has(one));
        strictEqual(dormant.find(kept.parentId, kept.name), one);
        deepStrictEqual(dormant.take(one), kept);
        strictEqual(dormant.find(kept.parentId, kept.name), 0);
      }
    }),
    { numRuns: 200 },
  );
});
