// Random operations on the directory upper and on the memory upper, which is the model: the same
// answers, the same trees, before and after a remount; and nodes that somebody holds go on meaning
// their inodes, whatever happened to the names. What the union never asks for is left out.

import { deepStrictEqual } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isFsError } from "../../src/errors.js";
import {
  type DirectoryUpperOptions,
  type Layer,
  type LayerLookup,
  type LayerNode,
  memoryLayer,
  type NewInode,
  openDirectoryUpper,
  type Standing,
  type UpperLayer,
  WHITEOUT,
} from "../../src/layer/index.js";
import { type ByteString, bytesOf, type Name } from "../../src/path.js";
import { inInitialUserNamespace, isDirectory, O_RDWR } from "../../src/sys/index.js";
import { isRoot, Scratch } from "./host-tree.js";
import { attributesOf, dumpLayer } from "./layer-dump.js";
import { FORMS } from "./upper-forms.js";

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;

const name = fc.constantFrom("a", "b", "c").map((text) => text as Name);
/** A name in the root, or in a directory of the root. */
const place = fc.record({ within: fc.option(name, { nil: undefined }), name });
// Without root's rights we must be able to go on with what we made.
const mode = fc
  .constantFrom(0o755, 0o644, 0o4755, 0o2775, 0o2644, 0o1777, 0o600)
  .map((bits) => (isRoot ? bits : bits | 0o700));
/** In a user namespace of one's own most ids can't be given. */
const mayChown = isRoot && inInitialUserNamespace();
const owner = mayChown ? fc.constantFrom(0, 1000, 70_000) : fc.constant(uid);
const group = mayChown ? fc.constantFrom(0, 1000, 70_000) : fc.constant(gid);
const type = fc.constantFrom("file", "file", "directory", "directory", "symlink", "fifo", "socket");

const operation = fc.oneof(
  fc.record({
    ...{ do: fc.constant("create" as const), at: place, type, mode, uid: owner, gid: group },
    ...{ umask: fc.constantFrom(0, 0o022, 0o077), opaque: fc.boolean() },
  }),
  fc.record({ do: fc.constant("remove" as const), at: place, leave: fc.boolean() }),
  fc.record({ do: fc.constant("rename" as const), at: place, to: place, leave: fc.boolean() }),
  fc.record({ do: fc.constant("exchange" as const), at: place, to: place }),
  fc.record({ do: fc.constant("link" as const), at: place, to: place }),
  fc.record({ do: fc.constant("write" as const), at: place, position: fc.nat(9000) }),
  fc.record({ do: fc.constant("truncate" as const), at: place, sizeBytes: fc.nat(9000) }),
  fc.record({ do: fc.constant("chmod" as const), at: place, mode }),
  fc.record({ do: fc.constant("chown" as const), at: place, uid: owner, gid: group }),
  fc.record({ do: fc.constant("setxattr" as const), at: place, flags: fc.constantFrom(0, 1, 2) }),
  fc.record({ do: fc.constant("removexattr" as const), at: place }),
  fc.record({ do: fc.constant("mark" as const), at: place, opaque: fc.boolean() }),
  fc.record({ do: fc.constant("index" as const), at: place }),
  fc.record({ do: fc.constant("unindex" as const) }),
);

type Place = { readonly within: Name | undefined; readonly name: Name };
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

const KEY = bytesOf("1-a");
const XATTR = bytesOf("user.x");

/** An upper and the nodes that somebody holds, by the order in which they were found. */
class Player {
  readonly upper: UpperLayer;
  readonly held = new Set<LayerNode>();

  constructor(upper: UpperLayer) {
    this.upper = upper;
  }

  /** The answer: what was done, or the error's name. */
  play(what: Operation): string {
    try {
      return this.#do(what);
    } catch (error) {
      if (isFsError(error)) return error.code;
      throw error;
    }
  }

  #directory(at: Place): LayerNode | undefined {
    if (at.within === undefined) return this.upper.root;
    const found = this.#hold(this.upper.lookup(this.upper.root, at.within));
    return found !== undefined && isDirectory(found.stat.mode) ? found : undefined;
  }

  #hold(found: LayerLookup): LayerNode | undefined {
    if (found === undefined || found === WHITEOUT) return undefined;
    this.held.add(found);
    return found;
  }

  #standing(directory: LayerNode, at: Name): Standing {
    const found = this.upper.lookup(directory, at);
    if (found === undefined) return "absent";
    if (found === WHITEOUT) return "whiteout";
    return isDirectory(found.stat.mode) ? "directory" : "file";
  }

  #do(what: Operation): string {
    const { upper } = this;
    if (what.do === "unindex") {
      upper.unindex(KEY);
      return "done";
    }
    const directory = this.#directory(what.at);
    if (directory === undefined) return "no directory";
    const at = what.at.name;
    const over = this.#standing(directory, at);
    if (what.do === "create") return this.#create(directory, at, over, what);
    if (what.do === "remove") {
      upper.remove(directory, at, over, what.leave);
      return "done";
    }
    const node = this.#hold(upper.lookup(directory, at));
    if (node === undefined) return "nothing there";
    if (what.do === "rename" || what.do === "exchange" || what.do === "link") {
      return this.#move(directory, at, node, what);
    }
    return this.#change(node, what);
  }

  #create(
    directory: LayerNode,
    at: Name,
    over: Standing,
    what: Extract<Operation, { do: "create" }>,
  ): string {
    const inode: NewInode = { ...what, target: "target" as ByteString };
    const { type: kind, opaque } = what;
    const isNew = over === "absent" || over === "whiteout";
    const rest = kind === "directory" ? { opaque: opaque || over === "whiteout" } : {};
    const { opaque: _, ...plain } = inode;
    this.#hold(this.upper.create(directory, at, { ...plain, ...rest }, isNew ? over : "absent"));
    return "done";
  }

  #move(
    directory: LayerNode,
    at: Name,
    node: LayerNode,
    what: Extract<Operation, { do: "rename" | "exchange" | "link" }>,
  ): string {
    const { upper } = this;
    const to = this.#directory(what.to);
    if (to === undefined) return "no directory";
    const over = this.#standing(to, what.to.name);
    if (what.do === "link") {
      upper.link(node, to, what.to.name, over === "whiteout" ? over : "absent");
      return "done";
    }
    const other = this.#hold(upper.lookup(to, what.to.name));
    // What the union refuses itself: into its own subtree, and other types than it says.
    if (to === node || directory === other) return "into itself";
    const isDir = isDirectory(node.stat.mode);
    if (what.do === "rename" && over === (isDir ? "file" : "directory")) return "other type";
    if (what.do === "exchange" && other === undefined) return "nothing there";
    const exchange = what.do === "exchange";
    const leaveWhiteout = what.do === "rename" && what.leave;
    upper.rename(directory, at, to, what.to.name, { over, leaveWhiteout, exchange });
    return "done";
  }

  #change(node: LayerNode, what: Operation): string {
    const { upper } = this;
    const isDir = isDirectory(node.stat.mode);
    const isFile = (node.stat.mode & 0o170000) === 0o100000;
    switch (what.do) {
      case "write": {
        if (!isFile) return "no file";
        const file = upper.open(node, O_RDWR);
        file.write(Buffer.from("written"), 0, 7, what.position);
        file.close();
        return "done";
      }
      case "truncate":
        if (!isFile) return "no file";
        upper.setattr(node, { sizeBytes: what.sizeBytes });
        return "done";
      case "chmod":
        if (isFile || isDir) upper.setattr(node, { mode: what.mode });
        return "done";
      case "chown":
        upper.setattr(node, { uid: what.uid, gid: what.gid });
        return "done";
      case "setxattr":
        if (isFile || isDir) upper.setxattr(node, XATTR, Buffer.from([0, 200]), what.flags);
        return "done";
      case "removexattr":
        if (isFile || isDir) upper.removexattr(node, XATTR);
        return "done";
      case "mark":
        if (isDir) upper.mark(node, { opaque: what.opaque });
        return "done";
      case "index":
        if (!isDir) upper.index(KEY, node);
        return "done";
      default:
        return "not here";
    }
  }
}

function heldAttributes(layer: Layer, held: Iterable<LayerNode>): unknown[] {
  return [...held].map((node) => attributesOf(layer.stat(node)));
}

function compare(operations: readonly Operation[], options: DirectoryUpperOptions): void {
  using scratch = new Scratch();
  const paths = [scratch.directory("upper"), scratch.directory("work")] as const;
  const model = new Player(memoryLayer());
  model.upper.setattr(model.upper.root, { uid, gid });
  const upper = openDirectoryUpper(...paths, options);
  try {
    const subject = new Player(upper);
    for (const what of operations) deepStrictEqual(subject.play(what), model.play(what));
    deepStrictEqual(dumpLayer(upper), dumpLayer(model.upper));
    deepStrictEqual(heldAttributes(upper, subject.held), heldAttributes(model.upper, model.held));
  } finally {
    upper.close();
  }
  const again = openDirectoryUpper(...paths, options);
  try {
    deepStrictEqual(dumpLayer(again), dumpLayer(model.upper));
    deepStrictEqual(again.indexKeys(), model.upper.indexKeys());
  } finally {
    again.close();
  }
}

/** Seed, counterexample, and in what the two differ. */
function report(details: fc.RunDetails<[Operation[]]>): void {
  if (!details.failed) return;
  const message = fc.defaultReportMessage(details) ?? "";
  throw new Error(`${message}\n${String(details.errorInstance)}`);
}

const RUNS = 150;
const RUNS_OF_FORM = 60;

function compareMany(numRuns: number, options: DirectoryUpperOptions): void {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 60 }), (operations) =>
      compare(operations, options),
    ),
    { reporter: report, numRuns: Number(process.env["FC_RUNS"] ?? numRuns) },
  );
}

test("openDirectoryUpper: random operations do what the model says", () => {
  compareMany(RUNS, { directoryFds: 16 });
});

for (const [title, form] of Object.entries(FORMS)) {
  test(`openDirectoryUpper (${title}): random operations do what the model says`, () => {
    compareMany(RUNS_OF_FORM, { form });
  });
}
