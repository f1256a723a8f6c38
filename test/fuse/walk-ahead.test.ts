// Going ahead of a walk: what was made ahead is what is there when it is asked for, whatever was changed
// in between; and nothing is made for those who don't walk. The oracle is a plain table of names.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Log } from "../../src/fuse/session/log.js";
import { WalkAhead } from "../../src/fuse/session/walk-ahead.js";
import { memoryLayer, type NewInode } from "../../src/layer/index.js";
import { type DirectoryHandle, type Node, Overlay } from "../../src/overlay/index.js";
import type { Name } from "../../src/path.js";

const LAYERS = 3;
const DIRECTORIES = 8;
const FILES = 5;

function inode(type: NewInode["type"]): NewInode {
  return { type, mode: type === "directory" ? 0o755 : 0o644, umask: 0, uid: 0, gid: 0 };
}

/** dN/sN/fM-L in each layer: directories of all layers, files of one each. */
function makeOverlay(alters = false): Overlay {
  const stack = Array.from({ length: LAYERS }, (_, layer) => {
    const lower = memoryLayer();
    for (let directory = 0; directory < DIRECTORIES; directory++) {
      const make = (parent: typeof lower.root, name: string): typeof lower.root =>
        lower.create(parent, name as Name, inode("directory"), "absent");
      const sub = make(make(lower.root, `d${directory}`), "s");
      for (let file = 0; file < FILES; file++) {
        lower.create(sub, `f${file}-${layer}` as Name, inode("file"), "absent");
      }
    }
    return lower.freeze();
  });
  return new Overlay({ stack, upper: memoryLayer(), alters });
}

/** The files of each dN/s, as the test knows them. */
function makeModel(): Map<string, Map<string, number>> {
  const names = Array.from({ length: LAYERS }, (_, layer) =>
    Array.from({ length: FILES }, (_, file) => `f${file}-${layer}`),
  ).flat();
  return new Map(
    Array.from({ length: DIRECTORIES }, (_, at) => [
      `d${at}`,
      new Map(names.map((name) => [name, 0o644])),
    ]),
  );
}

function childrenOf(overlay: Overlay, handle: DirectoryHandle): Map<string, Node> {
  const found = new Map<string, Node>();
  for (const entry of handle.entries) {
    if (entry.name === "." || entry.name === "..") continue;
    const node = overlay.lookupEntry(handle.node, entry);
    ok(node !== undefined, `${entry.name} is there`);
    strictEqual(entry.ino, node.ino);
    overlay.reference(node);
    found.set(entry.name, node);
  }
  return found;
}

/** As a session does it: opened, listed, and `meanwhile` before it is closed. */
class Walker {
  readonly overlay: Overlay;
  readonly ahead: WalkAhead;

  constructor(overlay = makeOverlay()) {
    this.overlay = overlay;
    this.ahead = new WalkAhead(overlay, new Log());
  }

  list(
    node: Node,
    meanwhile: () => void = () => undefined,
    opened: () => void = () => undefined,
  ): Map<string, Node> {
    const handle = this.ahead.open(node);
    try {
      opened();
      handle.settle();
      this.ahead.listed(node, handle.entries);
      const children = childrenOf(this.overlay, handle);
      meanwhile();
      return children;
    } finally {
      handle.close();
    }
  }

  /** Does all that there is to do, or some of it; gives how much. */
  idle(steps = Number.POSITIVE_INFINITY): number {
    let done = 0;
    for (; done < steps && this.ahead.hasWork; done++) this.ahead.step();
    return done;
  }

  /** All of dN/s in the listing's order. */
  walk(meanwhile: (directory: string) => void, seen: (name: string, sub: Node) => void): void {
    const top = this.list(this.overlay.root, () => this.idle());
    for (const [name, node] of top) {
      const sub = this.list(node, () => meanwhile(name)).get("s");
      ok(sub !== undefined);
      seen(name, sub);
    }
  }
}

test("WalkAhead: most directories of a walk are listed ahead, and show what is there", () => {
  const walker = new Walker();
  const model = makeModel();
  walker.walk(
    () => walker.idle(),
    (name, sub) => {
      const files = walker.list(sub, () => walker.idle());
      deepStrictEqual([...files.keys()].sort(), [...(model.get(name)?.keys() ?? [])].sort());
    },
  );
  // The first of them tell that it is a walk.
  ok(walker.ahead.taken >= 2 * DIRECTORIES - 3, `${walker.ahead.taken} taken`);
  strictEqual(walker.idle(), 0, "nothing is left to do");
  walker.ahead.close();
});

test("WalkAhead: nothing for who opens here and there, nor where others change the layers", () => {
  const walker = new Walker();
  const top = [...walker.list(walker.overlay.root).values()];
  for (const node of top.reverse()) {
    walker.list(node);
    strictEqual(walker.idle(), 0);
  }
  const altering = new Walker(makeOverlay(true));
  altering.walk(
    () => strictEqual(altering.idle(), 0),
    (_, sub) => altering.list(sub),
  );
  strictEqual(altering.ahead.taken, 0);
});

test("WalkAhead: nothing for who changes what he walks through", () => {
  const walker = new Walker();
  walker.walk(
    () => strictEqual(walker.idle(), 0),
    (_, sub) => {
      for (const name of walker.list(sub).keys()) walker.overlay.unlink(sub, name as Name);
    },
  );
  strictEqual(walker.ahead.taken, 0);
});

test("WalkAhead: nothing below a directory that everybody has forgotten", () => {
  const lower = memoryLayer();
  const top = lower.create(lower.root, "top" as Name, inode("directory"), "absent");
  for (const name of ["a", "b", "c", "d"]) {
    lower.create(top, name as Name, inode("directory"), "absent");
  }
  const overlay = new Overlay({ stack: [lower.freeze()], upper: memoryLayer() });
  const walker = new Walker(overlay);
  const node = walker.list(overlay.root).get("top");
  ok(node !== undefined);
  const children = walker.list(node);
  for (const child of [...children.values()].slice(0, 3)) walker.list(child);
  ok(walker.ahead.hasWork, "the last one is next");
  // The kernel drops its caches: the node is no longer that of its name.
  for (const child of children.values()) overlay.forget(child, 1);
  overlay.forget(node, 1);
  walker.ahead.step();
  strictEqual(walker.ahead.hasWork, false);
  const again = overlay.lookup(overlay.root, "top" as Name);
  ok(again !== undefined && again !== node);
  walker.ahead.close();
  strictEqual(overlay.lookup(overlay.root, "top" as Name), again);
});

/** A change of the next directory, after so many steps ahead, before or after it is opened. */
const change = fc.record({
  steps: fc.nat(30),
  kind: fc.constantFrom("none", "none", "none", "make", "remove", "rename", "chmod", "replace"),
  file: fc.nat(LAYERS * FILES - 1),
  isOpen: fc.boolean(),
});

const NO_CHANGE = { steps: 0, kind: "none", file: 0, isOpen: false };

test("WalkAhead: a change after any step shows in the directory that was made ahead", () => {
  const changes = fc.array(change, { minLength: DIRECTORIES, maxLength: DIRECTORIES });
  fc.assert(
    fc.property(changes, (plan) => {
      const walker = new Walker();
      const { overlay } = walker;
      const model = makeModel();
      const made = [...plan];
      walker.walk(
        () => walker.idle(),
        (name, sub) => {
          const { steps, kind, file, isOpen } = made.pop() ?? NO_CHANGE;
          const files = model.get(name) ?? new Map<string, number>();
          const victim = [...files.keys()][file] as Name;
          walker.idle(steps);
          const apply = (): void => {
            if (kind === "make") overlay.mknod(sub, "new" as Name, inode("file"));
            if (kind === "make") files.set("new", 0o644);
            if (kind === "remove" || kind === "replace") overlay.unlink(sub, victim);
            if (kind === "remove") files.delete(victim);
            if (kind === "replace") {
              overlay.mknod(sub, victim, { ...inode("file"), mode: 0o600 });
              files.set(victim, 0o600);
            }
            if (kind === "rename") {
              overlay.rename(sub, victim, sub, "other" as Name);
              files.delete(victim);
              files.set("other", 0o644);
            }
            if (kind === "chmod") {
              const node = overlay.lookup(sub, victim);
              ok(node !== undefined);
              overlay.setattr(node, { mode: 0o640 });
              files.set(victim, 0o640);
            }
          };
          if (!isOpen) apply();
          const found = walker.list(
            sub,
            () => walker.idle(steps),
            () => isOpen && apply(),
          );
          const modes = [...found].map(([key, node]) => [key, overlay.stat(node).mode & 0o777]);
          deepStrictEqual(Object.fromEntries(modes), Object.fromEntries(files));
        },
      );
      walker.ahead.close();
      overlay.close();
    }),
    { numRuns: 60 },
  );
});
