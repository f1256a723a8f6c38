// A program for tests, run as another user: makes files of owners it may not give in the upper
// argv[2] (work directory argv[3]) and prints what a later mount shows of them.

import {
  type LayerNode,
  memoryLayer,
  openDirectoryUpper,
  type UpperLayer,
  WHITEOUT,
} from "../../src/layer/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import { DIRECTORY, FILE, named } from "./upper-files.js";

const [, , upperPath = "", workPath = ""] = process.argv;
const options = { xattrPrefix: "user", ownership: "override" } as const;

function open(): UpperLayer {
  return openDirectoryUpper(upperPath, workPath, options);
}

function fill(upper: UpperLayer): void {
  const plain = { ...FILE, umask: 0, uid: 0, gid: 0 };
  const { root } = upper;
  upper.create(root, named("file"), { ...plain, mode: 0o640, gid: 42 }, "absent");
  upper.create(root, named("shadow"), { ...plain, mode: 0, uid: 7, gid: 7 }, "absent");
  upper.create(root, named("setuid"), { ...plain, mode: 0o4755 }, "absent");
  const closed = { ...DIRECTORY, ...{ umask: 0, uid: 0, gid: 42, mode: 0o555 } };
  const directory = upper.create(root, named("directory"), closed, "absent");
  upper.create(directory, named("inside"), { ...plain, mode: 0o644 }, "absent");
  const device = { ...plain, type: "char", mode: 0o666, rdevMajor: 1, rdevMinor: 3 } as const;
  upper.create(root, named("null"), device, "absent");
  const disk = {
    ...device,
    type: "block",
    mode: 0o660,
    gid: 6,
    rdevMajor: 8,
    rdevMinor: 300,
  } as const;
  upper.create(root, named("disk"), disk, "absent");
  upper.create(root, named("pipe"), { ...plain, type: "fifo", mode: 0o622, gid: 42 }, "absent");
  const lower = memoryLayer();
  const big = lower.create(
    lower.root,
    named("a"),
    { ...plain, mode: 0o4711, uid: 12, gid: 34 },
    "absent",
  );
  const stat = lower.stat(big);
  upper.copyUp(root, named("copied"), { stat, xattrs: new Map(), originIno: 5n });
  const own = { ...FILE, umask: 0, mode: 0o4755 };
  const chowned = upper.create(root, named("chowned"), own, "absent");
  upper.setattr(chowned, { uid: 3, gid: 4 });
}

function shown(upper: UpperLayer, directory: LayerNode, name: Name): string {
  const node = upper.lookup(directory, name);
  if (node === undefined || node === WHITEOUT) return "absent";
  const { mode, uid, gid, rdevMajor, rdevMinor } = upper.stat(node);
  return `${mode.toString(8)} ${uid}:${gid} ${rdevMajor},${rdevMinor}`;
}

const first = open();
fill(first);
first.close();

const upper = open();
const names = [
  "file",
  "shadow",
  "setuid",
  "directory",
  "null",
  "disk",
  "pipe",
  "copied",
  "chowned",
];
const found: Record<string, string> = {};
for (const name of names) found[name] = shown(upper, upper.root, named(name));
const directory = upper.lookup(upper.root, named("directory"));
if (directory !== undefined && directory !== WHITEOUT) {
  found["directory/inside"] = shown(upper, directory, named("inside"));
  found["xattrs"] = upper.listxattr(directory).join();
}
const types = new Map(upper.readdir(upper.root).map(({ name, type }) => [bytesOf(name), type]));
found["types"] = names.map((name) => `${name}:${types.get(bytesOf(name))}`).join(" ");
upper.close();
process.stdout.write(JSON.stringify(found));
