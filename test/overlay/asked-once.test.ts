// What an operation has learnt the layers are not asked for again, and what was learnt is never old.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { errno, FsError } from "../../src/errors.js";
import { memoryLayer } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import { O_RDWR } from "../../src/sys/index.js";
import { newInode } from "./layer-spec.js";

const NEW = bytesOf("new") as Name;
const TWICE = bytesOf("twice") as Name;
const GONE = bytesOf("gone") as Name;
const FILE = newInode("file", 0o644);
const DIRECTORY = newInode("directory", 0o755);

test("Overlay: a file that is looked up, made and changed is asked for once", (t) => {
  const upper = memoryLayer();
  const overlay = new Overlay({ stack: [], upper });
  const { root } = overlay;
  const lookups = t.mock.method(upper, "lookup");
  const stats = t.mock.method(upper, "stat");
  strictEqual(overlay.lookup(root, NEW), undefined);
  const { node, handle } = overlay.create(root, NEW, FILE, O_RDWR);
  strictEqual(lookups.mock.callCount(), 1);
  strictEqual(overlay.stat(node).mode & 0o7777, 0o644);
  strictEqual(overlay.setattr(node, { mode: 0o600 }).mode & 0o7777, 0o600);
  strictEqual(stats.mock.callCount(), 0);
  handle.write(Buffer.from("abc"), 0, 3, 0);
  strictEqual(overlay.stat(node).sizeBytes, 3, "what is written later is seen");
  handle.close();
});

test("Overlay: whether a directory of the upper alone is empty its removal tells", (t) => {
  const upper = memoryLayer();
  const overlay = new Overlay({ stack: [memoryLayer().freeze()], upper });
  const { root } = overlay;
  const directory = overlay.mkdir(root, NEW, DIRECTORY);
  overlay.reference(directory);
  overlay.create(directory, TWICE, FILE, O_RDWR).handle.close();
  const lists = t.mock.method(upper, "readdir");
  throws(
    () => overlay.rmdir(root, NEW),
    (error) => error instanceof FsError && error.errno === errno.ENOTEMPTY,
  );
  strictEqual(overlay.lookup(root, NEW), directory);
  overlay.unlink(directory, TWICE);
  overlay.rmdir(root, NEW);
  strictEqual(overlay.lookup(root, NEW), undefined);
  strictEqual(overlay.stat(directory).nlink, 0);
  strictEqual(lists.mock.callCount(), 0);
});

test("Overlay: a miss ends with the next change", () => {
  const base = memoryLayer();
  const below = new Overlay({ stack: [], upper: base });
  below.mkdir(below.mkdir(below.root, GONE, DIRECTORY), NEW, DIRECTORY);
  const overlay = new Overlay({ stack: [base.freeze()], upper: memoryLayer() });
  const { root } = overlay;
  const { node, handle } = overlay.create(root, NEW, FILE, O_RDWR);
  handle.close();
  strictEqual(overlay.lookup(root, TWICE), undefined);
  overlay.link(node, root, TWICE);
  throws(
    () => overlay.create(root, TWICE, FILE, O_RDWR),
    (error) => error instanceof FsError && error.errno === errno.EEXIST,
  );

  // Only a whiteout tells that the new directory must hide the old one.
  const gone = overlay.lookup(root, GONE);
  ok(gone !== undefined);
  overlay.reference(gone);
  overlay.rmdir(gone, NEW);
  strictEqual(overlay.lookup(root, bytesOf("other") as Name), undefined);
  overlay.rmdir(root, GONE);
  strictEqual(overlay.lookup(root, GONE), undefined);
  const listing = overlay.opendir(overlay.mkdir(root, GONE, DIRECTORY));
  deepStrictEqual(
    listing.entries.map((entry) => entry.name as string),
    [".", ".."],
  );
  listing.close();
});

test("Overlay: a capability that a layer gets is seen where others alter the layers", () => {
  const base = memoryLayer();
  const capability = bytesOf("security.capability");
  const rights = Buffer.from([1, 0, 0, 2]);
  const below = new Overlay({ stack: [], upper: base });
  const { node } = below.create(below.root, TWICE, FILE, O_RDWR);
  below.reference(node);
  const overlay = new Overlay({ stack: [base], upper: memoryLayer(), alters: true });
  const seen = overlay.lookup(overlay.root, TWICE);
  ok(seen !== undefined);
  overlay.reference(seen);
  strictEqual(overlay.getxattr(seen, capability), undefined);
  below.setxattr(node, capability, rights, 0);
  deepStrictEqual(overlay.getxattr(seen, capability), rights);
  below.removexattr(node, capability);
  strictEqual(overlay.getxattr(seen, capability), undefined);
});

test("Overlay: that a file has no capability is known or asked for once, until it gets one", (t) => {
  const base = memoryLayer();
  const capability = bytesOf("security.capability");
  const rights = Buffer.from([1, 0, 0, 2]);
  const below = new Overlay({ stack: [], upper: base });
  below.create(below.root, TWICE, FILE, O_RDWR).handle.close();
  const stack = [base.freeze()];
  const upper = memoryLayer();
  const overlay = new Overlay({ stack, upper });
  const { root } = overlay;
  const asked = t.mock.method(upper, "getxattr");
  const askedBelow = stack.map((layer) => t.mock.method(layer, "getxattr"));
  const { node, handle } = overlay.create(root, NEW, FILE, O_RDWR);
  handle.close();
  strictEqual(overlay.getxattr(node, capability), undefined);
  strictEqual(asked.mock.callCount(), 0);
  overlay.setxattr(node, capability, rights, 0);
  deepStrictEqual(overlay.getxattr(node, capability), rights);
  overlay.removexattr(node, capability);
  strictEqual(overlay.getxattr(node, capability), undefined);

  const lower = overlay.lookup(root, TWICE);
  ok(lower !== undefined);
  overlay.reference(lower);
  for (let time = 0; time < 3; time++) strictEqual(overlay.getxattr(lower, capability), undefined);
  strictEqual(askedBelow[0]?.mock.callCount(), 1);
  overlay.link(lower, root, GONE);
  const other = overlay.lookup(root, GONE);
  ok(other !== undefined);
  overlay.setxattr(other, capability, rights, 0);
  deepStrictEqual(overlay.getxattr(lower, capability), rights, "by its other name, after copy-up");
  overlay.setxattr(lower, bytesOf("user.x"), rights, 0);
  deepStrictEqual(overlay.listxattr(other).sort(), [capability, bytesOf("user.x")]);
});
