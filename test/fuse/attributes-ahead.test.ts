// What was read ahead of a directory is what it shows, or is not used.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { AttributesAhead } from "../../src/fuse/session/attributes-ahead.js";
import { Later } from "../../src/fuse/session/later.js";
import { memoryLayer, type NewInode } from "../../src/layer/index.js";
import { type Node, Overlay } from "../../src/overlay/index.js";
import type { Name } from "../../src/path.js";

const DIRECTORY: NewInode = { type: "directory", mode: 0o755, umask: 0, uid: 0, gid: 0 };

function fails(error: unknown): never {
  throw error;
}

/** A tree of two directories with some in each, and what is read ahead of it. */
function setUp(alters = false) {
  const overlay = new Overlay({ stack: [memoryLayer().freeze()], upper: memoryLayer(), alters });
  const [one, other] = (["one", "other"] as Name[]).map((name) => {
    const directory = overlay.mkdir(overlay.root, name, DIRECTORY);
    overlay.reference(directory);
    for (const child of ["a", "b", "c"] as Name[]) overlay.mkdir(directory, child, DIRECTORY);
    return directory;
  }) as [Node, Node];
  const later = new Later(fails);
  const ahead = new AttributesAhead(overlay, later);
  const remove = (directory: Node, name: string): void => {
    overlay.rmdir(directory, name as Name);
    ahead.removed(directory);
  };
  return { overlay, one, other, later, ahead, remove };
}

test("AttributesAhead: of the directory of the last removal, once", () => {
  const { overlay, one, other, later, ahead, remove } = setUp();
  remove(one, "a");
  remove(other, "a");
  later.doAll();
  strictEqual(ahead.take(one), undefined);
  strictEqual(ahead.take(other), undefined, "somebody asked for another one");
  remove(one, "b");
  later.doAll();
  const shown = ahead.take(one);
  ok(shown !== undefined);
  deepStrictEqual(shown, overlay.stat(one));
  strictEqual(ahead.take(one), undefined);
});

test("AttributesAhead: not what a later change, a listing or somebody else has made old", (t) => {
  const { overlay, one, later, ahead, remove } = setUp();
  remove(one, "a");
  later.doAll();
  overlay.setattr(one, { mode: 0o700 });
  strictEqual(ahead.take(one), undefined);

  remove(one, "b");
  later.doAll();
  ahead.drop();
  strictEqual(ahead.take(one), undefined);

  // Asked for before it could be read: then it is not read at all.
  const stats = t.mock.method(overlay, "stat");
  remove(one, "c");
  strictEqual(ahead.take(one), undefined);
  later.doAll();
  strictEqual(stats.mock.callCount(), 0);

  const altered = setUp(true);
  altered.remove(altered.one, "a");
  altered.later.doAll();
  strictEqual(altered.ahead.take(altered.one), undefined);
});
