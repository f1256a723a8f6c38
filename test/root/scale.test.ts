// Much of everything: 500 lower layers, directories of very many entries under change, names that are
// made while others work, layers that lie on another union.
//
//   STRATA_TEST_ENTRIES=100000 for the whole.

import { deepStrictEqual, equal } from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import {
  type Attributes,
  expectEqualTrees,
  listTree,
  withoutLinkCount,
  withoutTime,
} from "../e2e/tree-listing.js";
import { Disk, lacksDisk } from "./loop-disk.js";
import { MountedStack } from "./mounted-stack.js";

const ENTRIES = Number(process.env["STRATA_TEST_ENTRIES"] ?? 20_000);
const LAYERS = 500;
const needsFuse = existsSync("/dev/fuse") ? false : "needs /dev/fuse";
const options = {
  skip: needsRoot || needsFuse || lacksDisk("xfs") || missing("python3", "mknod", "find"),
  timeout: 120_000 + ENTRIES * 5,
};

/** Base first: each has a file and a directory entry of its own, one in common, and hides one below. */
async function makeManyLayers(folder: string): Promise<readonly string[]> {
  const layers = Array.from({ length: LAYERS }, (_, index) => join(folder, String(index)));
  for (const [index, layer] of layers.entries()) {
    mkdirSync(join(layer, "d"), { recursive: true });
    writeFileSync(join(layer, `f${index}`), `${index}`);
    writeFileSync(join(layer, "d", `e${index}`), `${index}`);
    writeFileSync(join(layer, "shared"), `${index}`);
    if (index % 10 === 5) await run("mknod", [join(layer, `f${index - 5}`), "c", "0", "0"]);
  }
  return layers;
}

test("lower layers: 500 of them", options, async () => {
  await using place = new MountedStack();
  const layers = await makeManyLayers(place.at("layers"));
  await using stack = new MountedStack({ lowers: [...layers].reverse() });
  await stack.mount();
  const numbers = layers.map((_, index) => index);
  const files = numbers.filter((n) => n % 10 !== 0).map((n) => `f${n}`);
  const entries = numbers.map((n) => `e${n}`);
  const root = stack.target;
  deepStrictEqual(readdirSync(root).sort(), ["d", "shared", ...files].sort());
  deepStrictEqual(readdirSync(join(root, "d")).sort(), entries.sort());
  equal(readFileSync(join(root, "shared"), "utf8"), "499");
  for (const n of [1, 251, 499]) equal(readFileSync(join(root, `f${n}`), "utf8"), `${n}`);
  writeFileSync(join(root, "f1"), "changed");
  rmSync(join(root, "d"), { recursive: true });
  rmSync(join(root, "shared"));
  await stack.remount();
  deepStrictEqual(readdirSync(root).sort(), files.sort());
  equal(readFileSync(join(root, "f1"), "utf8"), "changed");
});

/** Names that stay, s*, are in every listing once, whatever happens to the others. */
const LIST_UNDER_CHANGE = `
import os, random, sys
number, seed = int(sys.argv[1]), int(sys.argv[2])
stable = {f"s{n}" for n in range(number)}
os.chdir("many")
children = []
for worker in range(2):
    pid = os.fork()
    if pid == 0:
        choose = random.Random(seed + worker)
        for step in range(3000):
            n = choose.randrange(number)
            try:
                if step % 3 == 0: open(f"t{worker}-{n}", "w").close()
                elif step % 3 == 1: os.rename(f"c{worker}-{n}", f"r{worker}-{n}")
                else: os.unlink(f"r{worker}-{n}")
            except FileNotFoundError: pass
        os._exit(0)
    children.append(pid)
listings = 0
while children:
    names = os.listdir(".")
    seen = [name for name in names if name[0] == "s"]
    if len(seen) != number or set(seen) != stable:
        sys.exit(f"listing {listings}: {len(seen)} of {number}, {len(set(seen))} different ones")
    listings += 1
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid:
        children.remove(pid)
        if status: sys.exit("a worker failed")
for name in os.listdir("."):
    os.lstat(name)
print(listings)
`;

test(
  "readdir: very many entries, while others are made, renamed and removed",
  options,
  async (t) => {
    await using stack = new MountedStack();
    const many = join(stack.lower, "many");
    mkdirSync(many);
    for (let n = 0; n < ENTRIES / 2; n += 1) writeFileSync(join(many, `s${n}`), "");
    for (let n = 0; n < ENTRIES / 4; n += 1) {
      for (const worker of [0, 1]) writeFileSync(join(many, `c${worker}-${n}`), "");
    }
    await stack.mount();
    const args = ["-c", LIST_UNDER_CHANGE, String(ENTRIES / 2), "1"];
    const listings = await run("python3", args, { cwd: stack.target, timeoutMs: options.timeout });
    t.diagnostic(`${listings.trim()} listings of ${ENTRIES} entries`);
    const names = readdirSync(join(stack.target, "many")).sort();
    await stack.remount();
    deepStrictEqual(readdirSync(join(stack.target, "many")).sort(), names);
  },
);

/** What was made, linked or renamed a moment ago is there, also for another process. */
const MAKE_AND_LOOK = `
import os, sys
children = []
for worker in range(4):
    pid = os.fork()
    if pid == 0:
        os.makedirs(f"w{worker}", exist_ok=True)
        for n in range(400):
            name = f"w{worker}/n{n}"
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.stat(name)
            os.link(name, name + "-linked")
            assert os.stat(name + "-linked").st_nlink == 2
            os.rename(name, name + "-renamed")
            os.close(os.open(name + "-renamed", os.O_RDWR))
            other = f"w{(worker + 1) % 4}"
            if os.path.isdir(other):
                for found in os.listdir(other)[-5:]:
                    try: os.lstat(f"{other}/{found}")
                    except FileNotFoundError: assert not found.endswith("-linked"), found
            if n % 3 == 0: os.unlink(name + "-renamed")
        os._exit(0)
    children.append(pid)
for pid in children:
    if os.waitpid(pid, 0)[1]: sys.exit("a worker failed")
`;

const HAMMER = 'i=0; while :; do i=$((i+1)); mkdir "$1/$i"; echo x >"$1/$i/f"; rm -r "$1/$i"; done';

test("create, link, rename: what was just made is never missing", options, async () => {
  await using stack = new MountedStack();
  await stack.mount();
  const beside = stack.at("beside");
  mkdirSync(beside);
  // Others work on the same file system below.
  const script = `sh -c '${HAMMER}' sh "$2" & hammer=$!; status=0; python3 -c "$1" || status=$?; kill $hammer; exit $status`;
  await run("sh", ["-c", script, "sh", MAKE_AND_LOOK, beside], { cwd: stack.target });
});

async function expectDistinctInodes(root: string): Promise<string> {
  const printed = await run("find", [root, "-type", "f", "-links", "1", "-printf", "%i %P\\n"]);
  const lines = printed.trim().split("\n");
  const numbers = new Set(lines.map((line) => line.split(" ")[0]));
  equal(numbers.size, lines.length, "every file has an inode number of its own");
  return lines.sort().join("\n");
}

/** Some files, links and directories, in every one of which something can be changed. */
const TREE = `
for d in a b c; do
  mkdir -p $d/sub && echo "$d" >$d/file && ln $d/file $d/linked && ln -s file $d/symlink
  seq 1 50000 >$d/large && mkfifo $d/fifo && echo deep >$d/sub/deep
done
`;

const CHANGES = `
echo more >>a/file; echo more >>b/large; mv c moved; rm -r b/sub; mkdir b/sub; chmod 600 a/large; ln a/sub/deep new
`;

/** The root's own time is the new upper's. */
function atFirst(path: string, attributes: Attributes): Attributes {
  const rest = withoutLinkCount(path, attributes);
  return path === "" ? withoutTime(path, rest) : rest;
}

async function expectWorks(stack: MountedStack, below: string): Promise<void> {
  const original = await listTree(below);
  await stack.mount();
  expectEqualTrees(original, await listTree(stack.target), "at first", atFirst);
  const before = await expectDistinctInodes(stack.target);
  await stack.remount();
  equal(await expectDistinctInodes(stack.target), before, "inode numbers after a remount");
  await run("sh", ["-ec", CHANGES], { cwd: stack.target });
  const changed = await listTree(stack.target);
  await expectDistinctInodes(stack.target);
  await stack.remount();
  expectEqualTrees(changed, await listTree(stack.target), "before and after a remount");
  expectEqualTrees(original, await listTree(below), "what is below is as it was");
}

test("layers on kernel overlayfs, with inode numbers of the high bits", options, async () => {
  using disk = new Disk("xfs", 500);
  await using stack = new MountedStack();
  const below = stack.at("below");
  mkdirSync(below);
  // Two file systems: overlayfs tells them apart by the high bits of inode numbers (xino).
  const [upper, work] = [disk.folder("upper"), disk.folder("work")];
  await run("sh", ["-ec", TREE], { cwd: stack.lower });
  const layers = `lowerdir=${stack.lower},upperdir=${upper},workdir=${work},xino=on`;
  await run("mount", ["-t", "overlay", "overlay", "-o", layers, below]);
  try {
    await run("sh", ["-ec", "mkdir x; echo new >x/new; echo more >>b/file"], { cwd: below });
    await using outer = new MountedStack({ lowers: [below] });
    await expectWorks(outer, below);
  } finally {
    await run("umount", [below]);
  }
});

test("layers on a mount of ours", options, async () => {
  await using inner = new MountedStack();
  await run("sh", ["-ec", TREE], { cwd: inner.lower });
  await inner.mount();
  await run("sh", ["-ec", "mkdir x; echo new >x/new; echo more >>b/file"], { cwd: inner.target });
  await using outer = new MountedStack({ lowers: [inner.target] });
  await expectWorks(outer, inner.target);
});
